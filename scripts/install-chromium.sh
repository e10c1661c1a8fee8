#!/bin/sh
# Installs the browser that the pictures of the documentation and the browser tests need (Debian and Ubuntu, as root).
set -eu
apt-get update
DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends chromium fonts-liberation
chromium --version
