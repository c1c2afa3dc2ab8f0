# Sourced by the scripts that install programs from PyPI: makes the virtual environment $here/venv with what $here/requirements.txt names, with
# Debian's Python where there is none; $instead is what can be done by hand. It does nothing when all is there.
wanted=
python3 -c 'import ensurepip, venv' 2>/dev/null || wanted="python3 python3-venv"
if [ -n "$wanted" ]; then
    # shellcheck source=scripts/apt.sh
    . "$(dirname "$0")/apt.sh"
    install_wanted
fi
cmp -s "$here/requirements.txt" "$here/venv/installed.txt" || {
    python3 -m venv --clear "$here/venv"
    "$here/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps -r "$here/requirements.txt"
    cp "$here/requirements.txt" "$here/venv/installed.txt"
}
