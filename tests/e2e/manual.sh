#!/bin/sh
# The man pages to `COMMAND --help`, and the layout of that.
. "$(dirname "$0")/lib.sh"
/usr/bin/python3 "$here/manual.py" "$BESOM_BIN" "$here/../../man" || fail 'see above'
