"""What is planned, what is refused, and in which order it runs."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebench.errors import UsageError
from edgebench.protocols import Probe
from edgebench.records import PRECISIONS, Case, ParityLimits
from edgebench.runner import config as configs
from edgebench.runner import plan, requests, schedule
from edgebench.runner.config import PRESETS, BackendConfig, RunConfig

ORT = Probe(
    name="onnxruntime",
    available=True,
    version="1",
    formats=("onnx",),
    precisions=("fp32", "fp16", "int8", "int8_dynamic"),
)
GONE = Probe(name="litert", available=False, reason="it is not installed", remedy="pip install it")


def build(config: RunConfig) -> plan.Plan:
    workloads = plan.choose_workloads(config.workloads)
    return plan.build(config, workloads, plan.choose_backends(config, [ORT, GONE]))


def test_the_default_plan_is_every_default_workload_in_every_precision() -> None:
    planned = build(RunConfig())
    labels = [cell.case.label for cell in planned.cases]
    assert len(labels) == len(set(labels)) == 8
    assert labels[:4] == [f"cifar10_cnn/onnxruntime/{p}" for p in ORT.precisions]
    assert planned.runnable == planned.cases


def test_threads_and_batches_multiply() -> None:
    config = RunConfig(
        workloads=("mnist_cnn",), precisions=("int8",), threads=(1, 2, 1), batch=(1, 4, 4)
    )
    labels = [cell.case.label for cell in build(config).cases]
    assert labels == [f"mnist_cnn/onnxruntime/int8{tail}" for tail in ("", "/b4", "/t2", "/t2/b4")]


def test_a_precision_that_was_asked_for_and_cannot_be_is_a_cell_with_its_reason() -> None:
    config = RunConfig(workloads=("mnist_cnn",), precisions=("bf16", "fp32"))
    fp32, bf16 = build(config).cases
    assert (fp32.skip, bf16.skip) == ("", "onnxruntime has no bf16")


def test_a_hole_bears_the_words_of_the_runtime_that_refuses_the_file() -> None:
    told = "Can't create layer of type DynamicQuantizeLinear"
    probe = msgspec.structs.replace(
        ORT, precisions=("fp32",), refuses={"int8_dynamic": told, "fp32": "not this one"}
    )
    config = RunConfig(workloads=("mnist_cnn",), precisions=("fp32", "int8", "int8_dynamic"))
    found = plan.build(config, plan.choose_workloads(config.workloads), {"onnxruntime": probe})
    assert [cell.skip for cell in found.cases] == ["", "onnxruntime has no int8", told]


def test_a_cell_knows_its_task_and_the_limits_that_its_workload_states() -> None:
    workload = plan.choose_workloads(("mnist_cnn",))["mnist_cnn"]
    own = ParityLimits(min_cosine=0.97)
    stricter = msgspec.structs.replace(workload.spec, parity={"int8": own})
    workloads = {"mnist_cnn": msgspec.structs.replace(workload, spec=stricter)}
    found = plan.build(RunConfig(precisions=("fp32", "int8")), workloads, {"onnxruntime": ORT})
    assert [(cell.task, cell.parity) for cell in found.cases] == [
        ("classification", None),
        ("classification", own),
    ]


def test_a_cell_knows_the_work_of_its_workload() -> None:
    spec = plan.choose_workloads(("mnist_cnn",))["mnist_cnn"].spec
    cells = build(RunConfig(workloads=("mnist_cnn",))).cases
    assert spec.macs is not None
    assert {(cell.macs, cell.parameters) for cell in cells} == {(spec.macs, spec.parameters)}


def test_a_missing_backend_is_not_planned_and_a_named_one_is_an_error() -> None:
    assert {cell.case.backend for cell in build(RunConfig()).cases} == {"onnxruntime"}
    with pytest.raises(UsageError, match="pip install it"):
        build(RunConfig(backends_named=("litert",)))
    with pytest.raises(UsageError, match="no backend"):
        plan.choose_backends(RunConfig(), [GONE])


def test_settings_for_a_backend_that_nobody_knows_are_a_mistake() -> None:
    with pytest.raises(UsageError, match=r"\[backends.lite_rt\]"):
        plan.wanted_backends(RunConfig(backends={"lite_rt": BackendConfig()}))
    plan.wanted_backends(RunConfig(backends={"my_module:Backend": BackendConfig()}))


def test_options_of_a_backend_are_part_of_the_case() -> None:
    plain = build(RunConfig(workloads=("mnist_cnn",))).cases[0]
    tuned = build(
        RunConfig(
            workloads=("mnist_cnn",), backends={"onnxruntime": BackendConfig(options={"a": "b"})}
        )
    ).cases[0]
    assert tuned.case.options == {"a": "b"}
    assert tuned.case_id != plain.case_id


def test_a_named_backend_that_reads_no_model_here_is_told() -> None:
    other = Probe(name="other", available=True, formats=("eim",), precisions=("fp32",))
    probes = {"other": other}
    workloads = plan.choose_workloads(("mnist_cnn",))
    named = plan.build(RunConfig(backends_named=("other",)), workloads, probes)
    line = "not measured: other (it reads eim, which no workload here has)"
    assert (named.cases, named.notes) == ((), (line,))
    assert plan.build(RunConfig(), workloads, probes).notes == ()


TWO = Probe(
    name="two",
    available=True,
    formats=("onnx", "tflite"),
    precisions=("fp32", "bf16"),
    serves={"bf16": "fp32"},
)


def plan_two(**settings: tuple[str, ...]) -> list[Case]:
    chosen = RunConfig(backends={"two": BackendConfig(**settings)})  # type: ignore[arg-type]
    workloads = plan.choose_workloads(["mnist_cnn"])
    return [planned.case for planned in plan.build(chosen, workloads, {"two": TWO}).runnable]


def test_a_precision_may_be_computed_from_the_file_of_another() -> None:
    fp32, bf16 = plan_two()
    assert (fp32.precision, fp32.model_precision, fp32.file_precision) == ("fp32", None, "fp32")
    assert (bf16.precision, bf16.model_precision, bf16.file_precision) == ("bf16", "fp32", "fp32")
    workload = plan.choose_workloads(["mnist_cnn"])["mnist_cnn"]
    quick = PRESETS["quick"]
    asked = requests.build(run_id="r", case=bf16, workload=workload, preset=quick, launch=0)
    assert asked.model_path.endswith("fp32.onnx")


def test_each_format_that_was_asked_for_is_a_case() -> None:
    assert {case.format for case in plan_two()} == {"onnx"}
    found = [(case.precision, case.format) for case in plan_two(formats=("tflite", "onnx"))]
    assert found == [(p, fmt) for p in ("fp32", "bf16") for fmt in ("tflite", "onnx")]
    with pytest.raises(UsageError, match=r"\[backends.two\].*'gguf' \(choose from onnx, tflite\)"):
        plan_two(formats=("gguf",))


def test_several_tables_of_options_are_cases_of_their_own() -> None:
    chosen = BackendConfig(options=({}, {"spin": "0"}))
    config = RunConfig(
        workloads=("mnist_cnn",), precisions=("fp32",), backends={"onnxruntime": chosen}
    )
    assert [cell.case.options for cell in build(config).cases] == [{}, {"spin": "0"}]


GPU = msgspec.structs.replace(TWO, name="three", accelerators=("cpu", "gpu"))


def plan_both(config: RunConfig) -> list[tuple[str, str, str]]:
    workloads = plan.choose_workloads(["mnist_cnn"])
    config = msgspec.structs.replace(config, precisions=("fp32",))
    cells = plan.build(config, workloads, {"two": TWO, "three": GPU}).cases
    return [(cell.case.backend, cell.case.accelerator, cell.skip) for cell in cells]


def test_an_accelerator_is_measured_where_it_is_and_a_hole_elsewhere() -> None:
    assert plan_both(RunConfig()) == [("two", "cpu", ""), ("three", "cpu", "")]
    assert plan_both(RunConfig(accelerators=("gpu",))) == [
        ("two", "gpu", "two has no accelerator gpu here (has: cpu)"),
        ("three", "gpu", ""),
    ]
    own = {"three": BackendConfig(accelerators=("gpu", "cpu"))}
    assert plan_both(RunConfig(backends=own)) == [
        ("two", "cpu", ""),
        ("three", "gpu", ""),
        ("three", "cpu", ""),
    ]


def test_an_option_named_like_an_accelerator_belongs_to_its_cases_and_says_where_it_is() -> None:
    options = {"mine": "/lib/mine.so", "mine.device": "usb", "gpu.cache": "1", "spin": "0"}
    own = {"three": BackendConfig(accelerators=("cpu", "mine"), options=(options, {"spin": "0"}))}
    config = RunConfig(workloads=("mnist_cnn",), precisions=("fp32",), backends=own)
    workloads = plan.choose_workloads(["mnist_cnn"])
    cells = plan.build(config, workloads, {"three": GPU}).cases
    assert [(cell.case.accelerator, cell.case.options, cell.skip) for cell in cells] == [
        ("cpu", {"spin": "0"}, ""),
        ("mine", {"mine": "/lib/mine.so", "mine.device": "usb", "spin": "0"}, ""),
        ("mine", {"spin": "0"}, ""),
    ]


def test_an_accelerator_that_nothing_here_has_is_a_mistake() -> None:
    with pytest.raises(UsageError, match=r"--accelerator: .*'tpu' \(choose from cpu, gpu\)"):
        plan_both(RunConfig(accelerators=("tpu",)))
    with pytest.raises(UsageError, match=r"\[backends.two\] accelerators: .*'gpu'"):
        plan_both(RunConfig(backends={"two": BackendConfig(accelerators=("gpu",))}))


OWN = {
    fmt: Probe(name=fmt, available=True, formats=(fmt,), precisions=("fp32",))
    for fmt in ("ncnn", "mnn", "eim")
}


def test_an_unnamed_backend_without_a_model_is_a_line_and_not_a_row_of_holes() -> None:
    workloads = plan.choose_workloads(["mnist_cnn", "cifar10_cnn"])
    planned = plan.build(RunConfig(precisions=("fp32",)), workloads, {"two": TWO, **OWN})
    assert {cell.case.backend for cell in planned.cases} == {"two"}
    (note,) = planned.notes
    assert note.startswith("not measured: ncnn, mnn (no model of mnist_cnn or cifar10_cnn")
    assert "edgebench workloads derive" in note


def test_a_named_backend_without_a_model_is_a_hole_that_says_how_to_fill_it() -> None:
    workloads = plan.choose_workloads(["mnist_cnn"])
    planned = plan.build(RunConfig(backends_named=("ncnn", "eim")), workloads, OWN)
    (ncnn,) = (cell for cell in planned.cases if cell.case.backend == "ncnn")
    assert "edgebench workloads derive mnist_cnn --format ncnn" in ncnn.skip
    assert planned.notes[0].startswith("not measured: mnn (")


@given(st.integers(0, 2**31), st.integers(0, 30))
def test_a_block_holds_every_case_once_in_a_repeatable_order(seed: int, launch: int) -> None:
    ids = [f"{n:012x}" for n in range(20)]
    block = schedule.order(ids, seed, launch)
    assert sorted(block) == ids
    assert block == schedule.order(ids[::-1], seed, launch)


def test_blocks_differ() -> None:
    ids = [f"{n:012x}" for n in range(20)]
    assert len({schedule.order(ids, 1, launch) for launch in range(10)}) == 10


def test_launches_go_on_until_the_target_or_the_cap() -> None:
    quick, thorough = PRESETS["quick"], PRESETS["thorough"]
    assert schedule.needs_more([], 2, quick)
    assert not schedule.needs_more([1.0, 2.0, 3.0], 3, quick)
    steady, wild = [1.0, 1.001, 0.999, 1.0, 1.0, 1.001], [1.0, 2.0, 1.0, 2.0, 1.0, 2.0]
    assert not schedule.needs_more(steady, 6, thorough)
    assert schedule.needs_more(wild, 6, thorough)
    assert not schedule.needs_more(wild, 20, thorough)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (RunConfig(threads=(3,)), "may use 2 CPU"),
        (RunConfig(threads=(0,)), "--threads 0"),
        (RunConfig(batch=(0,)), "--batch 0"),
        (RunConfig(timeout_s=0), "--timeout"),
        (RunConfig(timeout_s=float("nan")), "--timeout"),
        (RunConfig(timeout_s=float("inf")), "--timeout"),
        (RunConfig(memory_limit_mib=-1), "--memory-limit"),
    ],
)
def test_numbers_that_cannot_be_measured_are_refused(config: RunConfig, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        configs.check(config, usable_cpus=2)


plain = st.text(st.characters(codec="utf-8", exclude_characters="/"), max_size=10)
names = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=10)


@given(
    st.builds(
        RunConfig,
        workloads=st.lists(names, max_size=3).map(tuple),
        precisions=st.lists(st.sampled_from(PRECISIONS), max_size=3).map(tuple),
        threads=st.lists(st.integers(1, 99), max_size=3).map(tuple),
        seed=st.none() | st.integers(0, 1000),
        timeout_s=st.floats(0.1, 1e4),
        backends=st.dictionaries(
            names,
            st.builds(
                BackendConfig, python=st.none() | plain, options=st.dictionaries(names, names)
            ),
            max_size=2,
        ),
    )
)
def test_a_dumped_configuration_reads_back_the_same(
    tmp_path_factory: pytest.TempPathFactory, config: RunConfig
) -> None:
    path = tmp_path_factory.mktemp("config") / "edgebench.toml"
    path.write_text(configs.dump_config(config), encoding="utf-8")
    assert configs.read_config(path) == config


def test_a_wrong_key_of_a_configuration_is_named(tmp_path: Path) -> None:
    path = tmp_path / "edgebench.toml"
    path.write_text('precision = ["fp32"]\nthread = [1]\n')
    with pytest.raises(UsageError, match="thread"):
        configs.read_config(path)


@pytest.mark.parametrize("options", ["{ compile = 1 }", "[{ xnnpack = false }]", '"x"'])
def test_an_option_that_is_no_text_is_told_how_it_is_written(tmp_path: Path, options: str) -> None:
    path = tmp_path / "edgebench.toml"
    path.write_text(f"[backends.litert]\noptions = {options}\n")
    with pytest.raises(UsageError, match=r'value is text: options = { NAME = "1" }'):
        configs.read_config(path)


def test_a_relative_interpreter_lies_beside_the_file_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "edgebench.toml"
    path.write_text(
        '[backends.litert]\npython = "env/bin/python"\n[backends.x]\npython = "python3"'
    )
    read = configs.read_config(path).backends
    assert read["litert"].python == str(tmp_path / "env/bin/python")
    assert read["x"].python == "python3"
