# Installs the clients for Python under target/clients, and those for node beside their package-lock.json. Needs `out`, the
# path of target/clients. What is there already is kept as long as its pins are the same.

pins=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

python_packages() {
    if ! cmp -s "$pins/python/requirements.txt" "$out/requirements.txt"; then
        rm -rf "$out/python"
        python3 -m venv "$out/python"
        PIP_DISABLE_PIP_VERSION_CHECK=1 "$out/python/bin/pip" install -q -r "$pins/python/requirements.txt"
        cp "$pins/python/requirements.txt" "$out/requirements.txt"
    fi
}

node_packages() {
    if ! cmp -s "$pins/node/package-lock.json" "$out/package-lock.json" || [ ! -d "$pins/node/node_modules" ]; then
        (cd "$pins/node" && npm ci --silent --no-audit --no-fund)
        cp "$pins/node/package-lock.json" "$out/package-lock.json"
    fi
}
