"""Every form of a data set gives the same images and labels, in the order that models answer in."""

from __future__ import annotations

import gzip
import io
import struct
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgebench import resources
from edgebench.datasets import folder, packed, reading
from edgebench.errors import UsageError

Images = NDArray[np.uint8]
Pictures = Mapping[str, Images]
CIFAR10 = resources.open_workload("cifar10_cnn").spec.labels


def png(pixels: NDArray[np.uint8]) -> bytes:
    """An image file that keeps every pixel."""
    pillow = pytest.importorskip("PIL.Image", reason="needs pillow")
    buffer = io.BytesIO()
    pillow.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def idx(array: NDArray[np.uint8]) -> bytes:
    """An array as MNIST's files hold it."""
    axes = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, 8, array.ndim]) + axes + array.tobytes()


@pytest.fixture
def digits() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Twelve images of 28 x 28 pixels, no two alike, and their labels."""
    images = np.random.default_rng(1).integers(0, 256, (12, 28, 28), np.uint8)
    return images, np.arange(12, dtype=np.uint8)[::-1] % 10


@pytest.fixture
def zip_of() -> Callable[[Path, Pictures], Path]:
    """Writes images into a zip under the names given."""

    def write(path: Path, pictures: Pictures) -> Path:
        with zipfile.ZipFile(path, "w") as archive:
            for name, pixels in pictures.items():
                archive.writestr(name, png(pixels))
        return path

    return write


@pytest.fixture
def idx_files() -> Callable[..., Path]:
    """Writes MNIST's two files of the test part, gzipped on request; gives the images'."""

    def write(
        folder: Path, images: NDArray[np.uint8], labels: NDArray[np.uint8], *, packed: bool
    ) -> Path:
        folder.mkdir(exist_ok=True)
        end, pack = (".gz", gzip.compress) if packed else ("", bytes)
        (folder / f"t10k-labels-idx1-ubyte{end}").write_bytes(pack(idx(labels)))
        path = folder / f"t10k-images-idx3-ubyte{end}"
        path.write_bytes(pack(idx(images)))
        return path

    return write


def add(name: str, path: Path, split: str = "test") -> tuple[folder.Dataset, Images, Images]:
    """Add a data set; give it with what is stored."""
    found = reading.read(name, path, split)
    dataset = folder.save(name, split, path.name, found, replace=True)
    with np.load(dataset.path, allow_pickle=False) as stored:
        return dataset, stored["images"], stored["labels"]


@pytest.mark.parametrize(
    "keys", [("x_test", "y_test"), ("images", "labels"), ("test_images", "test_labels")]
)
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_are_added_unchanged(
    tmp_path: Path, digits: tuple[Images, Images], keys: tuple[str, str], save: Callable[..., None]
) -> None:
    images, labels = digits
    save(tmp_path / "a.npz", **{keys[0]: images, keys[1]: labels})
    dataset, stored, theirs = add("mnist", tmp_path / "a.npz")
    assert np.array_equal(stored[..., 0], images)
    assert theirs.tolist() == labels.tolist()
    assert stored.dtype == theirs.dtype == np.uint8
    spec = dataset.spec
    assert (spec.count, spec.shape, spec.largest_label) == (12, (28, 28, 1), 9)
    assert (spec.split, spec.labels, spec.source) == ("test", (), "a.npz")
    assert folder.open_dataset("mnist") == dataset
    assert dataset.problem() == ""


def test_another_split_is_taken_when_asked_for(
    tmp_path: Path, digits: tuple[Images, Images]
) -> None:
    images, labels = digits
    np.savez(
        tmp_path / "a.npz", x_test=images, y_test=labels, x_val=images[:3], y_val=labels[:3, None]
    )
    dataset, stored, theirs = add("mnist", tmp_path / "a.npz", "val")
    assert np.array_equal(stored[..., 0], images[:3])
    assert theirs.tolist() == labels[:3].tolist()
    assert "mnist val" in dataset.source


@pytest.mark.parametrize("gzipped", [False, True])
@pytest.mark.parametrize("whole_folder", [False, True])
def test_idx_files_are_read_plain_and_gzipped_by_file_or_folder(
    tmp_path: Path,
    digits: tuple[Images, Images],
    idx_files: Callable[..., Path],
    gzipped: bool,
    whole_folder: bool,
) -> None:
    images, labels = digits
    path = idx_files(tmp_path / "raw", images, labels, packed=gzipped)
    _, stored, theirs = add("mnist", path.parent if whole_folder else path)
    assert np.array_equal(stored[..., 0], images)
    assert theirs.tolist() == labels.tolist()


def colours(names: tuple[str, ...], part: str = "test/") -> dict[str, Images]:
    """Two images a class, in one colour that tells the class and the file."""
    return {
        f"{part}{name}/{file}.png": np.full((4, 4, 3), 20 * CIFAR10.index(name) + file, np.uint8)
        for name in names
        for file in (1, 0)
    }


@pytest.mark.parametrize("part", ["", "test/", "archive/", "archive/test/"])
def test_a_zip_of_class_folders_is_in_the_order_of_the_workloads_labels(
    tmp_path: Path, zip_of: Callable[..., Path], part: str
) -> None:
    pictures = colours(CIFAR10[::-1], part)
    dataset, stored, labels = add("cifar10", zip_of(tmp_path / "a.zip", pictures))
    assert dataset.spec.labels == CIFAR10
    assert stored.shape == (20, 4, 4, 3)
    assert (stored[:, 0, 0, 0] // 20).tolist() == labels.tolist()
    assert stored[:4, 0, 0, 0].tolist() == [0, 1, 20, 21]


def test_classes_follow_a_workloads_order_even_where_it_is_not_the_alphabets(
    tmp_path: Path, zip_of: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = resources.open_workload("cifar10_cnn").folder / "workload.toml"
    mine = tmp_path / "mine" / "workloads" / "pets"
    mine.mkdir(parents=True)
    text = source.read_text().replace('name = "cifar10_cnn"', 'name = "pets"', 1)
    start, end = text.index("labels = ["), text.index("]\nmacs")
    (mine / "workload.toml").write_text(text[:start] + 'labels = ["dog", "cat"' + text[end:])
    monkeypatch.setenv("EDGEBENCH_PATH", str(tmp_path / "mine"))
    dataset, stored, labels = add("pets", zip_of(tmp_path / "a.zip", colours(("cat", "dog"))))
    assert dataset.spec.labels == ("dog", "cat")
    assert [CIFAR10[value // 20] for value in stored[:, 0, 0, 0]] == ["cat"] * 2 + ["dog"] * 2
    assert labels.tolist() == [1, 1, 0, 0]


def test_the_test_part_is_taken_and_a_lone_train_part_is_not(
    tmp_path: Path, zip_of: Callable[..., Path]
) -> None:
    both = colours(("cat",), "train/") | colours(("cat", "dog"), "test/")
    dataset, _, _ = add("pets", zip_of(tmp_path / "both.zip", both))
    assert dataset.spec.count == 4
    for name, part in (("one", "train/"), ("other", "x/train/")):
        path = zip_of(tmp_path / f"{name}.zip", colours(("cat",), part))
        with pytest.raises(UsageError, match="no 'test' part") as caught:
            add("pets", path)
        assert "--split" in caught.value.remedy
        assert add("pets", path, "train")[0].spec.count == 2


def test_an_image_folder_is_read_and_other_files_are_not(tmp_path: Path) -> None:
    for name, pixels in colours(("cat", "dog")).items():
        file = tmp_path / "pets" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(png(pixels))
    (tmp_path / "pets/test/cat/notes.txt").write_text("not an image")
    (tmp_path / "pets/test/cat/._0.png").write_bytes(b"not an image either")
    (tmp_path / "pets/test/loop").symlink_to(tmp_path / "pets")
    _, stored, labels = add("pets", tmp_path / "pets")
    assert labels.tolist() == [0, 0, 1, 1]
    assert stored[:, 0, 0, 0].tolist() == [60, 61, 100, 101]


def test_image_files_are_grey_where_the_workload_takes_grey(
    tmp_path: Path, zip_of: Callable[..., Path]
) -> None:
    pictures = {f"{n}/0.png": np.full((28, 28, 3), n, np.uint8) for n in range(10)}
    path = zip_of(tmp_path / "a.zip", pictures)
    assert add("mnist", path)[0].spec.shape == (28, 28, 1)
    assert add("other", path)[0].spec.shape == (28, 28, 3)


def test_cifar10s_binary_archive_is_read_as_a_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed, "_CIFAR10_BATCH", 3)
    planes = np.arange(3 * 3072, dtype=np.uint32).astype(np.uint8).reshape(3, 3, 32, 32)
    records = b"".join(bytes([label]) + image.tobytes() for label, image in enumerate(planes))
    path = tmp_path / "cifar.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name in ("batches.meta.txt", "data_batch_1.bin", "test_batch.bin"):
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            info.size = len(records)
            archive.addfile(info, io.BytesIO(records))
    dataset, stored, labels = add("cifar10", path)
    assert np.array_equal(stored, planes.transpose(0, 2, 3, 1))
    assert labels.tolist() == [0, 1, 2]
    assert dataset.spec.labels == CIFAR10
    with pytest.raises(UsageError, match=r"data_batch_2\.bin"):
        add("cifar10", path, "train")


def test_the_order_in_the_binary_archive_is_the_workloads() -> None:
    assert packed.CIFAR10_LABELS == CIFAR10


def test_a_failed_addition_leaves_the_earlier_set_as_it_was(
    tmp_path: Path, digits: tuple[Images, Images], zip_of: Callable[..., Path]
) -> None:
    np.savez(tmp_path / "a.npz", images=digits[0], labels=digits[1])
    dataset, _, _ = add("mnist", tmp_path / "a.npz")
    unlike = {"0/0.png": np.zeros((28, 28), np.uint8), "0/1.png": np.zeros((28, 27), np.uint8)}
    with pytest.raises(UsageError, match=r"image 1 is 28 x 27 x 1, the first one is 28 x 28 x 1"):
        add("mnist", zip_of(tmp_path / "b.zip", unlike))
    assert dataset.problem() == ""
    assert [path.name for path in folder.home().iterdir()] == ["mnist"]


def test_a_data_set_larger_than_the_disk_is_refused_before_it_is_read() -> None:
    def endless() -> Iterator[tuple[Images, int]]:
        yield np.zeros((4096, 4096, 3), np.uint8), 0
        raise AssertionError("read on")

    found = folder.Found(10_000_000, (), endless())
    with pytest.raises(UsageError, match="MiB are free"):
        folder.save("huge", "test", "nowhere", found)
    assert folder.names() == []
    assert list(folder.home().iterdir()) == []


BOUNDED = """
import sys
from pathlib import Path
from edgebench.datasets import folder, reading
path = Path(sys.argv[1])
folder.save("big", "test", "x", reading.read("big", path, "test"))
status = Path("/proc/self/status").read_text()
print(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])
"""


def test_memory_does_not_grow_with_the_number_of_images(tmp_path: Path) -> None:
    images = np.random.default_rng(1).integers(0, 256, (3000, 128, 128, 3), np.uint8)  # 140 MiB
    np.savez(tmp_path / "big.npz", images=images, labels=np.zeros(3000, np.int64))
    run = [sys.executable, "-c", BOUNDED, str(tmp_path / "big.npz")]
    out = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    assert int(out) < 100 * 1024  # KiB; the images alone are 144,000


@pytest.mark.parametrize("name", ["..", "../x", "/x", "a/b", "", ".hidden", "A", "x" * 65, "a\nb"])
def test_a_name_cannot_lead_out_of_the_data_folder(name: str) -> None:
    with pytest.raises(UsageError, match="cannot name a data set"):
        folder.open_dataset(name)


def test_names_that_are_no_unicode_or_steer_a_terminal_are_stored_plain(
    tmp_path: Path, zip_of: Callable[..., Path]
) -> None:
    pictures = {"a\x1b[2J\n/0.png": np.zeros((2, 2, 3), np.uint8)}
    found = reading.read("x", zip_of(tmp_path / "a.zip", pictures), "test")
    dataset = folder.save("x", "test", "\udcff\x07.zip", found)
    assert folder.open_dataset("x") == dataset
    assert (dataset.spec.source, dataset.spec.labels) == ("??.zip", ("a?[2J?",))


def test_the_data_folder_is_the_users_or_the_platforms(tmp_path: Path) -> None:
    user = Path.home()
    assert folder.home({"EDGEBENCH_DATA": str(tmp_path)}, "linux") == tmp_path
    assert folder.home({"XDG_DATA_HOME": "/xdg"}, "linux") == Path("/xdg/edgebench")
    assert folder.home({"XDG_DATA_HOME": "xdg"}, "linux") == user / ".local/share/edgebench"
    assert folder.home({}, "linux") == user / ".local/share/edgebench"
    assert folder.home({}, "darwin") == user / "Library/Application Support/edgebench"
    assert folder.home({"LOCALAPPDATA": "/local"}, "win32") == Path("/local/edgebench")
