"""One HTML file that opens without network and without scripts: chapters under a title, on a screen and on paper."""

from __future__ import annotations

from collections.abc import Sequence

from stargate.base.table import escaped

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""What a browser may fetch for the page: nothing."""
STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #586069; --page: #ffffff; --line: #d5d9de; --bar: #2f7ed8;
  --shade: #f5f6f8; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e7eb; --soft: #a3abb5; --page: #15181c; --line: #3a4047; --shade: #1f242a; }
}
body { margin: 0 auto; max-width: 68rem; padding: 1.5rem; color: var(--ink); background: var(--page);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .3rem; } h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; }
nav ul { padding: 0; display: flex; flex-wrap: wrap; gap: .2rem 1rem; list-style: none; }
a { color: inherit; } dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; } figure { margin: 1rem 0 1.6rem; }
figcaption, caption { font-weight: 600; text-align: left; margin-bottom: .3rem; }
svg { width: 100%; height: auto; color: var(--ink); } svg * { stroke-linejoin: round; stroke-linecap: butt; }
svg text { font-family: inherit !important; }
.legend { list-style: none; padding: 0; margin: 0 0 .3rem; display: flex; flex-wrap: wrap; gap: .1rem 1.1rem;
  font-size: .85rem; }
.key { display: inline-block; width: .8em; height: .8em; margin-right: .4em; border-radius: 2px; }
.wide { overflow-x: auto; margin: .6rem 0; } .more { color: var(--soft); font-size: .85rem; }
table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; }
th, td { padding: .22rem .7rem .22rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top;
  max-width: 34rem; overflow-wrap: break-word; }
thead th { white-space: nowrap; color: var(--soft); font-weight: 600; } tbody th { font-weight: 400; }
th.n, .n { text-align: right; white-space: nowrap; } .track { display: inline-block; width: 6em; text-align: left; }
.bar { display: inline-block; height: .6em; background: var(--bar); }
summary { cursor: pointer; } details { margin: .3rem 0; }
article { margin: 0 0 2rem; } h3 { font-size: 1rem; margin: 1.2rem 0 .3rem; }
.lead { font-size: 1.3rem; margin: .2rem 0; }
pre { white-space: pre-wrap; overflow-wrap: anywhere;
  font-size: .8rem; padding: .5rem .8rem; background: var(--shade); }
blockquote { margin: .4rem 0; padding-left: .8rem; border-left: 3px solid var(--line); }
tr:target, article:target > h3 { background: var(--shade); }
@media print {
  :root { color-scheme: light; --ink: #000; --soft: #444; --page: #fff; --line: #bbb; --shade: #f4f4f4; }
  @page { size: A4; margin: 15mm; }
  body { max-width: none; padding: 0; font-size: 9.5pt; } nav { display: none; } a { text-decoration: none; }
  details > * { display: block; } details::details-content { content-visibility: visible; }
  h2, h3, caption, figcaption { break-after: avoid; } tr, figure, blockquote { break-inside: avoid; }
  thead { display: table-header-group; } .wide { overflow: visible; }
  section:has(> article) { break-before: page; }
}
"""


def bound(title: str, head: str, sections: Sequence[tuple[str, str]]) -> str:
    """Chapters under a title as one HTML file. Titles of chapters are ours; `title` is escaped."""
    ids = [f"chapter-{place}" for place in range(len(sections))]
    links = "".join(
        f'<li><a href="#{id}">{escaped(name)}</a></li>' for id, (name, _) in zip(ids, sections, strict=True)
    )
    body = "\n".join(
        f'<section aria-labelledby="{id}">\n<h2 id="{id}">{escaped(name)}</h2>\n{text}\n</section>'
        for id, (name, text) in zip(ids, sections, strict=True)
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escaped(POLICY)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escaped(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<header>\n<h1>{escaped(title)}</h1>\n{head}\n</header>\n"
        f'<nav aria-label="Chapters"><ul>{links}</ul></nav>\n<main>\n{body}\n</main>\n</body>\n</html>\n'
    )
