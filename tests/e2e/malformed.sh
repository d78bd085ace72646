#!/bin/sh
# Whatever a trainer prints: what becomes of it in the database, the log and the warnings.
. "$(dirname "$0")/lib.sh"
/usr/bin/python3 "$here/malformed.py" "$besom" || fail 'see above'
