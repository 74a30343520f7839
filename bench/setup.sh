#!/bin/sh
# Gets what the yardsticks need: Debian packages, lwIP (Debian's source with options of ours: the prebuilt library of
# liblwip-dev has small windows that cannot be changed), gondolin from npm, and the C programs in native/.
# Does only what is missing; everything but the Debian packages goes to bench/build. Run again after an upgrade with
# `rm -r bench/build`.
set -eu
cd "$(dirname "$0")"
mkdir -p build

say() { echo "setup: $*"; }

missing=
for package in iperf3 ethtool iproute2 gcc libc6-dev liblwip-dev xz-utils; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
if [ -n "$missing" ]; then
  say "apt-get install$missing"
  [ "$(id -u)" = 0 ] || { say 'that needs root: run it as root, or install them yourself'; exit 1; }
  DEBIAN_FRONTEND=noninteractive
  export DEBIAN_FRONTEND
  apt-get update -qq
  # shellcheck disable=SC2086
  apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi

if [ ! -d build/lwip ]; then
  # The source belongs to the same archive and release as liblwip-dev.
  origin=$(apt-cache policy liblwip-dev | awk '$2 ~ /^http/ { split($3, part, "/"); print $2, part[1], part[2]; exit }')
  [ -n "$origin" ] || { say 'apt knows no archive with liblwip-dev'; exit 1; }
  say "source of lwIP from $origin"
  rm -rf build/apt && mkdir -p build/apt/lists/partial
  echo "deb-src $origin" >build/apt/sources.list
  (
    cd build/apt
    set -- -qq -o "Dir::Etc::SourceList=$PWD/sources.list" -o Dir::Etc::SourceParts=- \
      -o "Dir::State::Lists=$PWD/lists" -o APT::Sandbox::User=root
    apt-get "$@" update
    apt-get "$@" source --download-only lwip
    mkdir unpacked
    tar -xf lwip_*.orig.tar.* -C unpacked --strip-components=1
  )
  mv build/apt/unpacked build/lwip
  rm -r build/apt
fi

# compile OUTPUT SOURCE [options and more sources]
compile() {
  output=build/$1
  [ -x "$output" ] && [ -z "$(find native -newer "$output" -type f)" ] && return
  shift
  say "gcc $output"
  gcc -O3 -march=native -Wall -o "$output" "$@"
}

lwip='-I native/lwip -I build/lwip/src/include'
# shellcheck disable=SC2086
compile lwip-pipe $lwip native/lwip-pipe.c build/lwip/src/core/*.c build/lwip/src/core/ipv4/*.c build/lwip/src/netif/ethernet.c
# shellcheck disable=SC2086
compile lwip-pipe-lto -flto=auto $lwip native/lwip-pipe.c build/lwip/src/core/*.c build/lwip/src/core/ipv4/*.c build/lwip/src/netif/ethernet.c
compile tcp-ping-pong native/tcp-ping-pong.c

if [ ! -d build/gondolin/node_modules/@earendil-works/gondolin ]; then
  say 'npm install @earendil-works/gondolin (the last version that runs on Node 20)'
  mkdir -p build/gondolin
  echo '{"private":true}' >build/gondolin/package.json
  npm install --silent --no-audit --no-fund --ignore-scripts --prefix build/gondolin @earendil-works/gondolin@0.5.0 >/dev/null
fi
say 'all there'
