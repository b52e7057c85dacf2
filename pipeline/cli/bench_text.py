"""Text output of `wavecast bench`."""

from typing import Any

from pipeline.cli.output import write_json_text

GENERATION_COLUMNS = {
    "cell": "cell",
    "takes": "takes",
    "compiled_steps_per_second": "compiled",
    "torch_steps_per_second": "torch",
    "plain_steps_per_second": "plain loop",
    "ratio": "ratio",
    "real_time": "x real time",
    "memory_mib": "MiB",
}


def print_generation_bench(rows: list[dict[str, Any]], as_json: bool) -> None:
    """Print the speed of generation: a line for each model and number of takes."""
    if as_json:
        write_json_text(rows)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"steps per second, {rows[0]['device']}", title_justify="left")
    for heading in GENERATION_COLUMNS.values():
        table.add_column(heading, justify="left" if heading == "cell" else "right")
    for row in rows:
        cells = (row.get(key, "") for key in GENERATION_COLUMNS)
        table.add_row(*(cell if isinstance(cell, str) else f"{cell:,}" for cell in cells))
    Console().print(table)


def print_models_bench(figures: dict[str, Any], as_json: bool) -> None:
    """Print the speed of updates, a line for each cell, head, shape and number of threads; then of cells."""
    if as_json:
        write_json_text(figures)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"updates, {figures['what']}", title_justify="left")
    headings = (
        "cell",
        "head",
        "batch x steps",
        "threads",
        "steps/s",
        "x plain loop",
        "of head",
        "of products",
        "serial",
    )
    for heading in headings:
        table.add_column(heading, justify="left" if heading in ("cell", "head") else "right")
    for row in figures["updates"]:
        shape, rate = f"{row['sequences']} x {row['steps']}", f"{row['steps_per_second']:,.0f}"
        ratios = f"{row['times_plain']:.2f}", f"{row['head_share']:.0%}", f"{row['product_share']:.0%}"
        serial = f"{row['serial_share']:.0%}" if "serial_share" in row else ""
        table.add_row(row["cell"], row["head"], shape, str(row["threads"]), rate, *ratios, serial)
    Console().print(table)
    print("\ntime of a cell's own layer over that of the library's")
    for name, ratio in figures["cells"].items():
        print(f"  {name:16} {ratio:.2f}")


def print_together_bench(figures: dict[str, Any]) -> None:
    """Print the speed of updates of small models, a line for each cell."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=figures["what"], title_justify="left")
    for heading in ("cell", "units", "alone: x plain loop", "together: x plain loop", "together: x alone"):
        table.add_column(heading, justify="left" if heading == "cell" else "right")
    for row in figures["rows"]:
        ratios = (
            f"{row[key]:.2f}" for key in ("alone_times_plain", "together_times_plain", "together_times_alone")
        )
        table.add_row(row["cell"], str(row["units"]), *ratios)
    Console().print(table)


def print_growth_bench(figures: dict[str, Any]) -> None:
    """Print the growth of speed and memory: a table for each axis, then the rates of the machine."""
    from rich.console import Console
    from rich.table import Table

    for axis, rows in figures["axes"].items():
        table = Table(title=axis.replace("_", " "), title_justify="left")
        for heading in ("", "steps/s", "limit of products", "limit of memory", "private MiB", "mapped MiB"):
            table.add_column(heading, justify="right")
        for row in rows:
            speeds = (f"{row[key]:,.0f}" for key in ("steps_per_second", "product_limit", "memory_limit"))
            table.add_row(
                f"{row[axis]:,}", *speeds, f"{row['private_mib']:,.0f}", f"{row['mapped_mib']:,.0f}"
            )
        Console().print(table)
    rates = figures["machine"]
    print(figures["what"])
    products, memory = rates["product_flops"] / 1e9, rates["memory_bytes"] / 1e9
    print(f"products {products:,.0f} GFLOP/s, memory {memory:,.1f} GB/s")


def print_frameworks_bench(figures: dict[str, Any]) -> None:
    """Print speed and held-out likelihood of training with each framework."""
    from rich.console import Console
    from rich.table import Table

    table = Table()
    table.add_column("method", no_wrap=True)
    for heading in ("steps/s", "wall clock", "x slower", "updates", "nats per step"):
        table.add_column(heading, justify="right")
    for row in figures["methods"]:
        speeds = (f"{row[key]:,.0f}" for key in ("steps_per_second", "wall_steps_per_second"))
        counts = f"{row['times_slower']:.2f}", f"{row['updates']:,.0f}"
        table.add_row(row["method"], *speeds, *counts, f"{row['nats_per_step']:.2f}")
    print(figures["what"])
    Console().print(table)


def print_bench(figures: dict[str, Any], as_json: bool) -> None:
    """Print timings: a line for each figure."""
    if as_json:
        write_json_text(figures)
        return
    print(figures.pop("what"))
    for name, value in figures.items():
        if isinstance(value, dict):
            print(f"  {name}")
            for part, ratio in value.items():
                print(f"    {part:26} {ratio:,.2f}")
            continue
        text = " to ".join(f"{x:,.2f}" for x in value) if isinstance(value, list) else f"{value:,.2f}"
        print(f"  {name.replace('_', ' '):28} {text}")
