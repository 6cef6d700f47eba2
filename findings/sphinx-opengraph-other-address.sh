#!/usr/bin/env bash
# sphinxext-opengraph 0.13.0 with Sphinx's own html_baseurl. Expected: og:url is the page's full
# address. Seen: "sub/page.html", which readers of such tags cannot use; only ogp_site_url is read, and
# the canonical link of the same page is right, so nothing seems missing; -W is silent. Set both.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check 'sphinxext-opengraph==0.13.0' 'sphinx==7.4.7'
mkdir -p docs/sub
printf 'Page\n====\n\n.. toctree::\n\n   sub/page\n' > docs/index.rst
printf 'Sub\n===\n' > docs/sub/page.rst
printf 'extensions = ["sphinxext.opengraph"]\nhtml_baseurl = "https://example.org/book/"\n' > docs/conf.py
printf 'ogp_social_cards = {"enable": False}\n' >> docs/conf.py
env/bin/python -m sphinx -q -W -b html docs site > output.txt 2>&1
grep --quiet '<link rel="canonical" href="https://example.org/book/sub/page.html"' site/sub/page.html
grep --quiet '<meta property="og:url" content="sub/page.html"' site/sub/page.html
echo "as found: the canonical address is https://example.org/book/sub/page.html, og:url is sub/page.html"
