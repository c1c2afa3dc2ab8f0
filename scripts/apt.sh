# Sourced by the scripts that install packages: says how one is installed here, in $as_root. It ends the script where nothing is $wanted
# and where nothing can be installed; $found is what is there already, $instead what can be done by hand.
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
