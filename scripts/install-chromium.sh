#!/bin/sh
# Installs what the console's tests need: Node.js 20, and Debian's Chromium with the fonts that its pictures are drawn with. Starts no service: a test
# starts a browser of its own.
#
# Does nothing when all is there.
set -eu

wanted=
command -v chromium >/dev/null || wanted="chromium"
[ -e /usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc ] || wanted="$wanted fonts-noto-cjk"
[ -e /usr/share/fonts/truetype/noto/NotoSans-Regular.ttf ] || wanted="$wanted fonts-noto-core"
found="Chromium and its fonts"
instead="put chromium into PATH, and install the fonts Noto Sans and Noto Sans CJK"
if [ -n "$wanted" ]; then
    # shellcheck source=scripts/apt.sh
    . "$(dirname "$0")/apt.sh"
    install_wanted
fi
