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
import sys
from importlib.metadata import files
ours = {file.parts[0] for file in files("zbo-orchestrator")} - {".."}
strange = sorted(name for name in ours if not name.startswith("zbo_"))
sys.exit(f"these names do not belong at the top of site-packages: {strange}" if strange else 0)
CHECK
echo "the wheel works away from its checkout"
