# Calls the compiler. `sendbox connector build` runs this in the project's folder, after it has written the contract's
# declarations for C into build/bindings, and makes a component of the module that this leaves in build/core.wasm.
set -eu

echo "build.sh: call your compiler here, so that it writes build/core.wasm" >&2
exit 1
