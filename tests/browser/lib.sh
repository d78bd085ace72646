# tests/browser/lib.sh - what the browser tests share, on top of tests/e2e/lib.sh.  Sourced.
. "$(dirname "$0")/../e2e/lib.sh"
skip() {
  echo "SKIPPED: the page was not tested in a browser: $*" >&2
  exit 77
}
tests=$(cd "$here" && pwd)
CHROMIUM=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}
export CHROMIUM
[ -n "$CHROMIUM" ] || skip 'there is no chromium (Debian: apt-get install chromium)'
command -v node >/dev/null || skip 'there is no node'
[ -d "${BESOM_NPM:?}/node_modules/playwright-core" ] || skip "there is no playwright-core in $BESOM_NPM"
