"""The reference of the public data sets, generated from the file that `wavecast data` reads."""

from rich.filesize import decimal

from pipeline.data.public.table import PublicSet, all_sets

INTRODUCTION = """# Public data

This page is generated from `pipeline/data/public/sets.yaml`, which `wavecast data` reads. [Fetch public
data](../guides/public-data.md) explains the command. The licence of a set is that of its publisher. Read it
before you publish a model or its audio.

Sizes and hashes are those that the named sources state. *Unknown* means that none was found. A hash *of the
contents* is one of the unpacked files: the server makes the archive anew at each request, so that its bytes
may change. Where no hash is known, `wavecast data fetch` records the one of the first fetch and says so.
"""
KINDS = {"speech": "Speech", "music": "Music", "sounds": "Sounds"}
CHECKS = {"sha256": "SHA-256", "contents": "of the contents", "none": "none known"}


def public_data_page() -> str:
    """Return the page in Markdown: a table of each kind of set, then the facts of every set."""
    sets = all_sets().values()
    parts = [INTRODUCTION]
    for kind, heading in KINDS.items():
        parts += [f"## {heading}\n", table([public for public in sets if public.kind == kind])]
    return "\n".join([*parts, "## Every set\n", *map(described, sets)])


def table(sets: list[PublicSet]) -> str:
    """Return an overview of sets."""
    lines = ["| name | set | size | hours | recordings | hash | licence |", "|---|---|---|---|---|---|---|"]
    for public in sets:
        size, hours, count = shown_size(public), public.hours or "", public.recordings or ""
        cells = (f"[`{public.name}`](#{anchor(public)})", public.title, size, hours, count)
        lines.append(f"| {' | '.join(map(str, cells))} | {CHECKS[public.checked_by]} | {public.licence} |")
    return "\n".join(lines) + "\n"


def described(public: PublicSet) -> str:
    """Return the section of one set."""
    rows = {
        "Homepage": f"<{public.homepage}>",
        "Addresses": ", ".join(f"<{address}>" for address in public.addresses),
        "Bytes": f"{public.bytes:,}" if public.bytes else "unknown",
        "SHA-256": f"`{public.sha256}`" if public.sha256 else "unknown",
        **({"Hash of the contents": f"`{public.contents}`"} if public.contents else {}),
        "Licence": public.licence,
        "Citation": public.citation,
        "Read in": public.facts,
    }
    lines = [f"- {name}: {value}" for name, value in rows.items()]
    return f"### {public.name} {{ #{anchor(public)} }}\n\n{public.title}.\n\n" + "\n".join(lines) + "\n"


def shown_size(public: PublicSet) -> str:
    """Return the size of the file, as `wavecast data list` prints it."""
    return decimal(public.bytes) if public.bytes else "unknown"


def anchor(public: PublicSet) -> str:
    """Return the name of a set's section."""
    return public.name.replace(".", "-")
