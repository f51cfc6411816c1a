"""The results as a Markdown page."""


def markdown(results: dict) -> str:
    machine = results["machine"]
    source = "vendor's" if machine["is_vendor"] else "measured"
    peak, measured = (
        f"{machine[f'{name}_flops'] / 1e12:.4g} TFLOP/s, {machine[f'{name}_bytes'] / 1e12:.4g} TB/s"
        for name in ("peak", "measured")
    )
    about = f"torch {machine['torch']}. Roofline: {peak} ({source}). A bf16 product and a copy here: {measured}."
    lines = [f"## {machine['name']}", "", about]
    checks = [*results.get("checks", []), *results.get("engine", [])]
    if checks:
        lines += _table(
            "Checks against the references",
            ("what", "sizes", "type", "difference", "tolerance", ""),
            [_check(check) for check in checks],
        )
    if "timings" in results:
        lines += _table(
            "Times in bf16",
            (
                "what",
                "widths",
                "pass",
                "plain",
                "kernels",
                "ratio",
                "roofline",
                "share",
            ),
            [_timing(entry) for entry in results["timings"]],
        )
    titles = {"compile": "A decoder layer's step under torch.compile"}
    for part, title in (titles | {"training": "Training"}).items():
        if part in results:
            rows = [(name, _value(value)) for name, value in results[part].items()]
            lines += _table(title, ("what", "figure"), rows)
    for part, why in results["not_run"].items():
        lines += ["", f"Not run: {part} ({why})."]
    return "\n".join(lines) + "\n"


def _check(check: dict) -> tuple[str, ...]:
    verdict = "passed" if check["passed"] else "FAILED"
    figures = (f"{check['difference']:.1e}", f"{check['tolerance']:.0e}")
    return check["what"], check["sizes"], check["dtype"], *figures, verdict


def _timing(entry: dict) -> tuple[str, ...]:
    if "failed" in entry:
        return entry["what"], entry["widths"], "out of memory", *[""] * 5
    times = [entry[f"{name}_ms"] for name in ("plain", "kernels", "roofline")]
    plain, kernels, least = (f"{value:.3f} ms" for value in times)
    ratio, share = f"{times[0] / times[1]:.2f}", f"{100 * entry['share']:.0f} %"
    first = entry["what"], f"{entry['widths']}, {entry['tokens']} tokens", entry["pass"]
    return *first, plain, kernels, ratio, least, share


def _value(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _table(title: str, head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    separator = "|".join(["---"] * len(head))
    cells = [" | ".join(row) for row in (head, *rows)]
    first, *others = (f"| {line} |" for line in cells)
    return ["", f"### {title}", "", first, f"|{separator}|", *others]
