"""Every column, once: the CSV, the frame, the table and the glossary are made from this."""

from __future__ import annotations

from edgebench.analysis.definitions import DEFINITIONS
from edgebench.report.column import Column, Kind
from edgebench.report.power_columns import POWER
from edgebench.report.proxy_columns import PROXIES

STAGES = {
    "decode": "from the image file's bytes to pixels",
    "resize": "to the size that the workload names",
    "crop": "to the input's size",
    "normalise": "colour, mean and deviation, memory order",
    "copy_in": "into the runtime's input",
    "invoke": "the runtime's call",
    "copy_out": "out of the runtime's output",
    "postprocess": "to the answer: softmax and the five likeliest labels, boxes, or a mask",
}
"""From an image to an answer, in this order; not every workload crops."""

COLUMNS: tuple[Column, ...] = (
    Column("run_id", "str", "the run: its start in UTC and six random hex digits"),
    Column("case_id", "str", "12 hex digits of sha256 over everything that defines the case"),
    Column("started_at_utc", "str", "when the run started"),
    Column("edgebench_version", "str", "version that measured"),
    Column("preset", "str", "quick, standard or thorough"),
    Column("device", "str", "kind of hardware"),
    Column("device_id", "str", "one unit of it: a hash, or the name given by --device-name"),
    Column(
        "device_setup",
        "str",
        "what of the device this run could use, where that may differ between runs: CPUs, a "
        "cgroup's quota, a limit of memory, the power mode",
    ),
    Column(
        "imported_from",
        "str",
        "empty: edgebench measured it; else the tool that did, the file and where in it; such "
        "figures are as that tool defines them, and nothing tells whether they may be trusted",
    ),
    Column("workload", "str", "the CNN task", default=True),
    Column("workload_version", "int", "version of its files; others are not comparable"),
    Column(
        "work_mmac",
        "float",
        "million multiply-accumulates of one sample: convolutions and dense layers",
        heading="MMAC",
    ),
    Column("model_parameters_count", "int", "weights of the workload's model"),
    Column("source_sha256", "str", "hash of the model that all its formats were derived from"),
    Column(
        "task",
        "str",
        "what its answers are: classification, detection, segmentation, other (nobody told)",
    ),
    Column(
        "weights",
        "str",
        "trained, published, random (then there is no accuracy), or unknown: a user's model",
    ),
    Column("model_sha256", "str", "hash of the model file that ran"),
    Column("backend", "str", "the inference runtime", default=True),
    Column("backend_version", "str", "version that the runtime reports"),
    Column("format", "str", "format of the model file"),
    Column("precision", "str", "precision asked for: that of the model file", default=True),
    Column(
        "effective_precision",
        "str",
        "type in which most multiplications were computed, read back from the runtime",
        heading="ran as",
    ),
    Column(
        "precision_ratio",
        "float",
        "share of multiplications in effective_precision; the others ran in another type",
        heading="share",
    ),
    Column(
        "fallback",
        "str",
        "what ran otherwise than asked: precision, partial_precision (the right one, but for "
        "less than 0.9 of the multiplications), accelerator, or empty",
    ),
    Column("accelerator", "str", "cpu, or the provider or delegate asked for", heading="accel"),
    Column(
        "effective_accelerator", "str", "where it ran, read back from the runtime; empty: not told"
    ),
    Column("threads", "int", "threads asked for", heading="thr"),
    Column("batch", "int", "samples in one inference (one call of the runtime)"),
    Column("streams", "int", "sessions at work at once"),
    Column("scenario", "str", "how inferences are asked for; single_stream: back to back"),
    Column("region", "str", "what is timed; invoke: the runtime alone; e2e: image file to answer"),
    Column("engine", "str", "who asked for the inferences and kept the time"),
    Column("tuning", "str", "native: as the runtime ships; equal: set alike on every runtime"),
    Column("parameters", "str", "of the scenario, the unit in the name: rate_hz=30"),
    Column("options", "str", "the runtime's own options that were set"),
    Column(
        "effective_tuning",
        "str",
        "what tuning is about, each as it was set or read back here: spinning=on",
    ),
    Column("status", "str", "ok, failed, timeout, oom, crashed or skipped"),
    Column("reason", "str", "why, where the status is not ok"),
    Column("launches", "int", "fresh processes that measured it and ended well"),
    Column("samples", "int", "inferences timed, over all launches"),
    Column(
        "latency_p50_ms",
        "float",
        "median latency: geometric mean of the launches' medians",
        heading="p50 ms",
        default=True,
    ),
    Column("latency_p50_lo_ms", "float", "lower end of its 95 % interval (Student's t)"),
    Column("latency_p50_hi_ms", "float", "upper end of its 95 % interval"),
    Column(
        "converged",
        "str",
        "yes where every launch knew its own median to the target when it ended, no where one did "
        "not; empty: launches of a fixed time",
    ),
    Column(
        "work_rate_gmacps",
        "float",
        "single_stream, region invoke: billion multiply-accumulates per second of the median "
        "latency",
        heading="GMAC/s",
    ),
    Column("latency_p90_ms", "float", "90th percentile, nearest rank; needs 36 samples"),
    Column("latency_p95_ms", "float", "95th percentile, nearest rank; needs 72 samples"),
    Column(
        "latency_p99_ms",
        "float",
        "99th percentile, nearest rank; needs 368 samples",
        heading="p99 ms",
        default=True,
    ),
    Column("latency_p99_lo_ms", "float", "lower end of its 95 % interval (block bootstrap)"),
    Column("latency_p99_hi_ms", "float", "upper end of its 95 % interval"),
    Column("latency_min_ms", "float", "shortest inference"),
    Column("latency_mean_ms", "float", "mean of all inferences"),
    Column(
        "throughput_ips",
        "float",
        "samples inferred per second of the window, copying the input in included; geometric "
        "mean of launches",
        heading="inf/s",
    ),
    Column("throughput_lo_ips", "float", "lower end of its 95 % interval (Student's t)"),
    Column("throughput_hi_ips", "float", "upper end of its 95 % interval"),
    Column(
        "outcome",
        "str",
        "what the scenario asks for, in words: the highest rate, the best batch (b) and streams "
        "(s), frames late and lost, speed kept",
    ),
    Column(
        "service_p50_ms",
        "float",
        "server, paced: median time of the inference alone, where latency holds waiting too",
    ),
    Column("service_p99_ms", "float", "99th percentile of the same; needs 368 samples"),
    Column(
        "offline_batch",
        "int",
        "offline: batch of the best throughput; latency is that of a call with so many samples",
    ),
    Column("offline_streams", "int", "offline: sessions at work at once for it"),
    Column(
        "server_rate_hz",
        "float",
        "server: highest rate of queries confirmed to keep the bound for 99 % of the answers in "
        "every launch; empty where none was",
        heading="held Hz",
    ),
    Column("server_rate_lo_hz", "float", "lower end of its 95 % interval over launches"),
    Column("server_rate_hi_hz", "float", "upper end of its 95 % interval"),
    Column(
        "server_offered_hz",
        "float",
        "server: rate of the windows that latency and service time are of, whether it held or not",
    ),
    Column("frames_offered", "int", "paced: frames that came", heading="frames"),
    Column(
        "frames_dropped",
        "int",
        "paced: frames never looked at, because a newer one came while they waited",
        heading="lost",
    ),
    Column(
        "deadline_misses",
        "int",
        "paced: frames answered later than the next one came",
        heading="late",
    ),
    Column("in_time_ratio", "float", "paced: share of frames answered before the next one came"),
    Column("in_time_lo_ratio", "float", "lower end of its 95 % interval (Wilson)"),
    Column("in_time_hi_ratio", "float", "upper end of its 95 % interval"),
    Column("burst_p50_ms", "float", "sustained: median latency of the first minute"),
    Column(
        "sustained_p50_ms", "float", "sustained: median of the medians of the last third's minutes"
    ),
    Column(
        "burst_sustained_ratio",
        "float",
        "sustained: burst_p50_ms over sustained_p50_ms: the share of its first speed that it keeps",
    ),
    Column("burst_sustained_lo_ratio", "float", "lower end of its 95 % interval over launches"),
    Column("burst_sustained_hi_ratio", "float", "upper end of its 95 % interval"),
    Column(
        "sustained_throttle_s",
        "float",
        "sustained: time until something slowed the device down, looked for once a second; median "
        "of the launches in which it happened; empty: in none, or nothing tells",
    ),
    Column(
        "drift_ratio",
        "float",
        "median of a launch's second half over that of its first, geometric mean of launches",
    ),
    Column("drift_p", "float", "p-value of a trend within launches (Mann-Kendall, 20 batches)"),
    Column(
        "steady",
        "str",
        "flat, warm-up, slowdown or no steady state, by change points; empty: not judged (needs "
        "`[report]`). Nothing is ever trimmed",
    ),
    Column(
        "steady_after_iterations",
        "int",
        "inferences, warm-up included, before the final level begins (launch in the middle)",
    ),
    Column("pipeline", "str", "region e2e: what decoded and resized images, and its version"),
    Column("image_sha256", "str", "region e2e: hash of the image file that was decoded"),
    *(
        Column(f"stage_{stage}{end}_ms", "float", meaning)
        for stage, what in STAGES.items()
        for end, meaning in (
            ("", f"region e2e: {what}; median, as latency_p50_ms"),
            ("_lo", "lower end of its 95 % interval (Student's t)"),
            ("_hi", "upper end of its 95 % interval"),
        )
    ),
    Column(
        "engine_figures",
        "str",
        "another engine's figures under its own names and in its own units (JSON), medians of the "
        "launches",
    ),
    Column("load_ms", "float", "opening the model, median of launches"),
    Column("first_inference_ms", "float", "the very first inference, median of launches"),
    Column("rss_baseline_mib", "float", "resident memory with the runtime imported, no model"),
    Column("rss_load_mib", "float", "resident memory with the model loaded, nothing run"),
    Column(
        "rss_peak_mib",
        "float",
        "largest resident memory of one session from loading to its fifth inference, with one "
        "input (not the ring of inputs that latency is timed with); geometric mean of launches",
    ),
    Column("rss_peak_lo_mib", "float", "lower end of its 95 % interval (Student's t)"),
    Column("rss_peak_hi_mib", "float", "upper end of its 95 % interval"),
    Column(
        "pss_load_mib",
        "float",
        "proportional set size after those inferences: pages shared with others count by share",
    ),
    Column("model_size_mib", "float", "size of the model file"),
    *PROXIES,
    *POWER,
    Column(
        "top1_ratio",
        "float",
        "share of labelled samples classified right",
        heading="top-1",
        default=True,
    ),
    Column("top1_lo_ratio", "float", "lower end of its 95 % interval (Wilson)"),
    Column("top1_hi_ratio", "float", "upper end of its 95 % interval"),
    Column("top1_samples", "int", "labelled samples"),
    Column(
        "top1_loss_ratio",
        "float",
        "top-1 of fp32 on the same backend, device and samples, minus this one's",
    ),
    Column("top1_loss_lo_ratio", "float", "lower end of its 95 % interval (Tango's, same images)"),
    Column("top1_loss_hi_ratio", "float", "upper end of its 95 % interval"),
    Column("top1_lost_samples", "int", "samples that fp32 has right and this one wrong"),
    Column("top1_won_samples", "int", "samples that fp32 has wrong and this one right"),
    Column(
        "top1_mcnemar_p",
        "float",
        "p-value against losing no top-1 to fp32: McNemar's test on the same images, mid-p",
    ),
    Column(
        "top1_loss_against",
        "str",
        "whose fp32 that is: another backend's (the run's first) where this one has none",
    ),
    Column(
        "map50_ratio",
        "float",
        "detection: mean over classes of the average precision at an overlap of 0.5, all points",
        heading="mAP50",
    ),
    Column(
        "miou_ratio",
        "float",
        "segmentation: mean over classes of intersection over union, all pixels together",
        heading="mIoU",
    ),
    Column("quality_samples", "int", "labelled samples that mAP or mIoU is of"),
    Column(
        "quality_loss_ratio",
        "float",
        "mAP or mIoU of fp32 on the same backend, device and samples, minus this one's",
    ),
    Column("quality_loss_against", "str", "whose fp32 that is, as top1_loss_against"),
    Column(
        "accuracy",
        "str",
        "the task's figure in words: top-1, mAP50 or mIoU; random weights have none",
    ),
    Column(
        "parity_cosine",
        "float",
        "smallest cosine similarity between an output vector and the fp32 reference's (logits)",
    ),
    Column(
        "parity_top1_ratio",
        "float",
        "share of reference inputs (segmentation: of their pixels) with the reference's answer",
    ),
    Column(
        "parity_equal_ratio",
        "float",
        "share of the reference's elements where outputs are integers: an index, a mask of classes",
    ),
    Column("validity", "str", "valid, suspect or invalid, from what was seen while it ran"),
    Column("caveats", "str", "what a reader should know, separated by '; '"),
)


def defined(name: str) -> tuple[Column, ...]:
    """The columns that ``--definition NAME`` adds: the tool's own names, the tool before them."""
    return (
        Column("definition", "str", "whose definition of the figures, and whose protocol"),
        *(
            Column(f"{name}_{figure}", _kind(figure), meaning, heading=figure.replace("_", " "))
            for figure, meaning in DEFINITIONS[name].figures.items()
        ),
    )


def _kind(figure: str) -> Kind:
    return "int" if figure.endswith(("count", "loops")) else "float"


BY_NAME = {
    column.name: column
    for column in (*COLUMNS, *(added for name in DEFINITIONS for added in defined(name)))
}
DEFAULT = tuple(column.name for column in COLUMNS if column.default)


def glossary() -> str:
    """Every column with its meaning, as a Markdown table."""
    lines = ["| column | meaning |", "|---|---|"]
    lines += [f"| `{column.name}` | {column.meaning} |" for column in COLUMNS]
    return "\n".join(lines)
