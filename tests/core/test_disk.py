import time

from medpipe.core.disk import DiskUse, disk_use


def later():
    return time.monotonic() + 60


def test_files_of_all_depths_count(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "one").write_bytes(b"x" * 10)
    (tmp_path / "a" / "b" / "two").write_bytes(b"x" * 5)
    assert disk_use(tmp_path, later()) == DiskUse(tmp_path, 15, 2, True)


def test_links_are_not_followed(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "big").write_bytes(b"x" * 10_000)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    assert disk_use(folder, later()).size_bytes < 1000


def test_a_file_is_its_own_size(tmp_path):
    (tmp_path / "one").write_bytes(b"x" * 10)
    assert disk_use(tmp_path / "one", later()).size_bytes == 10


def test_what_is_not_there_takes_nothing(tmp_path):
    assert disk_use(tmp_path / "no", later()) == DiskUse(tmp_path / "no", 0, 0, True)


def test_when_the_time_is_up_the_sum_is_not_complete(tmp_path):
    for number in range(3):
        (tmp_path / str(number)).write_bytes(b"x")
    found = disk_use(tmp_path, time.monotonic() - 1)
    assert (found.complete, found.n_files) == (False, 1)
