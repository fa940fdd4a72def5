#!/bin/sh
# The wheel, installed with nothing but its name into an empty environment far from the checkout, must work.
set -eu
checkout=$PWD
away=$(mktemp -d)
trap 'rm -rf "$away"' EXIT
"$checkout/.venv/bin/python" -m venv "$away/env"
cp -r "$checkout" "$away/source" 2>/dev/null || true
rm -rf "$away/source/.venv" "$away/source/build"
cd "$away"
env/bin/python -m pip install --quiet ./source
rm -rf source
env/bin/zbo --version
env/bin/zbo parts
ZBO_HOME="$away/home" ZBO_CACHE="$away/cache" env/bin/zbo run ferrosim-parameters --trials 6 --without-prefect
env/bin/zbo verify --replay histories/ferrosim-parameters
env/bin/python - <<'CHECK'
import sys, sysconfig, pathlib
site = pathlib.Path(sysconfig.get_path("purelib"))
ours = sorted(path.name for path in site.iterdir() if path.name in {"flows", "plugins", "tests", "benchmarks", "deployments"})
sys.exit(f"these names do not belong to us at the top of site-packages: {ours}" if ours else 0)
CHECK
echo "the wheel works away from its checkout"
