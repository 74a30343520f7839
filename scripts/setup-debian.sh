#!/usr/bin/env bash
# Installs what tests want from Debian, and what is missing of it only: scripts/setup-debian.sh tshark [chromium ...]
# Where nothing can be installed (no root, no Debian, no network) it says so and ends well: the tests that want it are skipped.
set -uo pipefail
missing=()
for name in "$@"; do
  dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || missing+=("$name")
done
[ ${#missing[@]} -gt 0 ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "setup-debian: ${missing[*]} cannot be installed here (apt-get and root are needed): tests that want it are skipped"
  exit 0
fi
echo "setup-debian: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
install() { apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null 2>&1; }
install || { apt-get update -qq >/dev/null 2>&1 && install; } ||
  echo "setup-debian: ${missing[*]} could not be installed: tests that want it are skipped"
exit 0
