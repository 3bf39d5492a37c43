"""export.bundle: The table of a bundle's metrics, at the width of a terminal."""

from rich.console import Console

from export.bundle.table import parity_table

EVERY_METRIC = {"pairs": 2, "max_abs": 1e-7, "mean_abs": 1e-8, "p999": 1e-7, "psnr": 150.0, "cosine": 1.0}


def record(path, parity):
    return {"path": path, "bytes": 10**6, "parity": parity, "verdict": "pass"}


def headings(records, width):
    return [column.header for column in parity_table(records, Console(width=width)).columns]


def test_the_metric_that_all_artifacts_have_is_left_out_last():
    records = [record("saved_model", EVERY_METRIC), record("tflite/float32_any", {"pairs": 2, "cosine": 1.0})]
    assert headings(records, 60) == ["artifact", "size", "cosine", "verdict"]
    assert "cosine" in headings(records, 80)


def test_of_metrics_that_all_have_psnr_is_left_out_last():
    assert headings([record("saved_model", EVERY_METRIC)], 53) == ["artifact", "size", "PSNR, dB", "verdict"]
