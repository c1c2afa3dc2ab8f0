# Sourced by the scripts that install packages: says how one is installed here, in $as_root, and gives them `install_wanted`. It ends the
# script where nothing is $wanted and where nothing can be installed; $found is what is there already, $instead what can be done by hand.
if [ -z "$wanted" ]; then
    echo "nothing to install: $found are there"
    exit 0
fi
if ! command -v apt-get >/dev/null; then
    echo "cannot install $wanted: this is no Debian or Ubuntu; $instead" >&2
    exit 1
fi
as_root=
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { echo "cannot install $wanted: run this as root, or install sudo" >&2; exit 1; }
    as_root=sudo
fi

# Installs what is $wanted, with more options of apt-get if there are any. What comes with it starts no service.
# shellcheck disable=SC2086  # the list is meant to be split into words
install_wanted() {
    # Debian asks this program before it starts or restarts a service; 101 means no. One that is there already stays.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        trap '$as_root rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
        $as_root chmod 755 "$policy"
    fi
    echo "installing (with what they depend on):" $wanted
    export DEBIAN_FRONTEND=noninteractive
    $as_root apt-get update -qq
    $as_root apt-get install -y -qq --no-install-recommends "$@" $wanted >/dev/null
    dpkg-query -W -f 'installed: ${Package} ${Version}\n' $wanted
}
