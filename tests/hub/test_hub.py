"""toolkit.sources: Modules come through TensorFlow Hub's own code, within bounds, and what is hostile leaves nothing
behind."""

import bz2
import gzip
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
import time
import urllib.request

import pytest

from tests.conftest import refusal
from tests.hub import servers
from tests.hub.servers import member, packed
from toolkit.errors import InputError, WorkError
from toolkit.safe_loading import graph_file
from toolkit.sources import hub

MODEL = member("saved_model.pb", b"a graph")
GOOD = packed(member("variables", type=tarfile.DIRTYPE, mode=0o755), MODEL, member("variables/index", b"weights"))
SMALL = hub.DownloadLimits(max_bytes=1 << 20)
# For servers that never get done, alone: a loaded machine may keep a good one waiting as long.
SHORT = hub.DownloadLimits(timeout=1, total_timeout=1, max_bytes=1 << 20)
# Fetches a handle in a process of its own, and prints the folder.
FETCH = "import sys; from toolkit.sources import hub; print(hub.resolve(sys.argv[1]).path)"


def left_in(cache):
    return sorted(path.name for path in cache.rglob("*")) if cache.exists() else []


def not_resolved(handle, error=InputError, limits=SMALL):
    return refusal(hub.resolve, handle, limits, error=error)


# What is well


def test_a_module_over_http_is_unpacked_into_the_cache_and_asked_for_once(cache, server):
    handle = server.put("/google/stylizer/2", servers.whole(GOOD))
    first, second = hub.resolve(handle), hub.resolve(handle)
    assert first == second
    assert first.path.parent == cache
    assert (first.path / "variables" / "index").read_bytes() == b"weights"
    assert server.asked == ["/google/stylizer/2?tf-hub-format=compressed"]


def test_the_address_in_the_end_is_told_without_its_token_and_also_from_the_cache(cache, server):
    final = server.put("/storage/stylizer.tar.gz", servers.whole(GOOD))
    handle = server.put("/stylizer/2", servers.moved(final + "?token=secret"))
    for _ in range(2):
        assert hub.resolve(handle) == hub.Resolved(hub.resolve(handle).path, handle, final)


def test_a_password_in_a_handle_is_not_told(cache, server):
    assert hub.redact_url("https://user:word@host:1/a/b?token=c#d") == "https://host:1/a/b"


def test_an_archive_on_the_disk_is_unpacked_under_its_hash(cache, tmp_path):
    path = tmp_path / "stylizer.tar.gz"
    path.write_bytes(GOOD)
    resolved = hub.resolve(path)
    assert (resolved.path / "saved_model.pb").read_bytes() == b"a graph"
    assert resolved.url is None
    path.write_bytes(packed(member("saved_model.pb", b"another graph")))
    assert (hub.resolve(path).path / "saved_model.pb").read_bytes() == b"another graph"


def test_a_folder_is_itself(cache, tmp_path):
    assert hub.resolve(tmp_path).path == tmp_path


def test_progress_is_told_up_to_the_whole(cache, server):
    told = []
    hub.resolve(server.put("/a.tar.gz", servers.whole(GOOD)), progress=lambda *numbers: told.append(numbers))
    assert told[-1] == (len(GOOD), len(GOOD))


def test_the_digest_is_that_of_sha256sum_over_the_files(tmp_path):
    for name in ("saved_model.pb", "variables/b", "assets/a"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    command = "sha256sum $(find * -type f | LC_ALL=C sort) | sha256sum"
    printed = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert graph_file.digest(tmp_path) == printed.split()[0]


def test_an_archive_without_entries_of_folders_is_unpacked(cache, server):
    data = packed(MODEL, member("variables/deep/index", b"weights"))
    path = hub.resolve(server.put("/a.tar.gz", servers.whole(data))).path
    assert (path / "variables" / "deep" / "index").read_bytes() == b"weights"


def test_an_archive_in_several_gzip_members_is_unpacked_whole(cache, server):
    plain = gzip.decompress(GOOD)
    data = b"".join(gzip.compress(plain[start : start + 700]) for start in range(0, len(plain), 700))
    path = hub.resolve(server.put("/a.tar.gz", servers.whole(data))).path
    assert (path / "variables" / "index").read_bytes() == b"weights"


def test_an_archive_is_unpacked_in_the_mode_that_it_was_checked_in(cache, tmp_path):
    path = tmp_path / "stylizer.tar"
    path.write_bytes(ambiguous("BZh91AY&SY"))
    folder = hub.resolve(path, SMALL).path
    assert sorted(one.name for one in folder.iterdir()) == ["BZh91AY&SY", "saved_model.pb"]


# What breaks


def test_an_address_that_is_not_found_is_told_with_what_was_tried_and_what_to_do(cache, server):
    handle = server.address + "/google/nowhere/1"
    said = not_resolved(handle, WorkError)
    assert said.startswith(f"{handle}: cannot be fetched: HTTP 404 Not Found; tried {handle}; ")
    assert said.endswith("give the path of the .tar.gz or of the unpacked folder")
    assert left_in(cache) == []


@pytest.mark.parametrize("answer", [servers.announced(GOOD[:90], len(GOOD)), servers.announced(b"", 10)])
def test_a_server_that_breaks_off_leaves_nothing(cache, server, answer):
    assert "broke off after" in not_resolved(server.put("/stylizer.tar.gz", answer), WorkError)
    assert left_in(cache) == []


def test_a_gzip_stream_broken_off_at_an_unknown_length_is_found(cache, server):
    for length in (5, 90, len(GOOD) - 1):
        handle = server.put("/stylizer.tar.gz", servers.unannounced(GOOD[:length]))
        assert "fetch it again" in not_resolved(handle), length
    assert left_in(cache) == []


def test_a_plain_tar_broken_off_between_two_members_is_found(cache, server):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:") as archive:
        for info, data in (MODEL, member("variables.index", b"weights")):
            archive.addfile(info, io.BytesIO(data))
    assert hub.resolve(server.put("/whole.tar", servers.unannounced(stream.getvalue()))).path.is_dir()
    handle = server.put("/broken.tar", servers.unannounced(stream.getvalue()[:1024]))
    assert "does not end after its last member" in not_resolved(handle)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("header_only", [False, True])
def test_a_server_that_drips_is_left_in_time(cache, server, header_only):
    handle = server.put("/stylizer.tar.gz", servers.dripping(GOOD * 2000, 0.05, header_only))
    said = not_resolved(handle, WorkError, SHORT)
    assert f"{handle}: cannot be fetched: n" in said  # no answer within, or not complete within
    assert "within 1 s" in said
    assert left_in(cache) == []


@pytest.mark.timeout(60)
def test_a_server_that_takes_the_call_and_says_nothing_is_left_in_time(cache):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        said = not_resolved(f"http://127.0.0.1:{silent.getsockname()[1]}/a.tar.gz", WorkError, SHORT)
    assert "cannot be fetched: " in said
    assert left_in(cache) == []


def test_a_port_where_nobody_listens_is_told(cache):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert "Connection refused" in not_resolved(f"http://127.0.0.1:{port}/a.tar.gz", WorkError)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("handle", ["https://tfhub.dev/google/stylizer/2", "https://www.kaggle.com/models/google/x/1"])
def test_a_name_server_that_is_silent_or_knows_nothing_is_left_in_time(cache, monkeypatch, handle):
    def silent(*arguments, **options):
        time.sleep(10)

    def unknown(*arguments, **options):
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    for resolution, reason in ((silent, "no answer within 1 s"), (unknown, "Temporary failure in name resolution")):
        monkeypatch.setattr(socket, "getaddrinfo", resolution)
        said = not_resolved(handle, WorkError, SHORT)
        assert reason in said
        assert f"tried {handle}; download it elsewhere and give the path" in said
        assert left_in(cache) == []


def test_an_address_of_another_kind_is_refused(cache):
    for handle in ("ftp://host/a.tar.gz", "file:///etc/passwd", "C://a"):
        assert "give https://, http:// or gs://" in not_resolved(handle)


def test_the_uncompressed_format_is_asked_for_where_the_environment_says_so(cache, server, monkeypatch):
    monkeypatch.setenv("TFHUB_MODEL_LOAD_FORMAT", "UNCOMPRESSED")
    said = not_resolved(server.address + "/google/stylizer/2", WorkError)
    assert server.asked == ["/google/stylizer/2?tf-hub-format=uncompressed"]
    assert "404" in said


# What is hostile


def huge(name="saved_model.pb", size=10 << 30):
    """An archive whose one header claims 10 GB that do not follow."""
    info = tarfile.TarInfo(name)
    info.size = size
    return gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(2048))


def bomb():
    """8 MB of zeros in some kilobytes."""
    return packed(member("saved_model.pb", bytes(8 << 20)))


def long_header(size=4 << 20):
    """A member whose name fills an extended header of 4 MB."""
    return packed(member("a/" * (size // 2) + "saved_model.pb", b""))


def ambiguous(name):
    """A plain tar that begins as a compressed one does: who guesses the format reads another archive."""
    info, data = member(name, b"first")
    header = info.tobuf(tarfile.GNU_FORMAT, errors="surrogateescape")
    return header + data.ljust(512, b"\0") + gzip.decompress(packed(MODEL))


# Zeros that are no end of an archive: there are more than any writer adds.
LONG_END = gzip.compress(gzip.decompress(GOOD) + bytes(3 << 20))


def negative():
    """A member whose extended header gives it a negative size."""
    record = b"14 size=-512\n"
    extended = tarfile.TarInfo("a")
    extended.type, extended.size = tarfile.XHDTYPE, len(record)
    header = extended.tobuf(tarfile.USTAR_FORMAT) + record.ljust(512, b"\0")
    return gzip.compress(header + gzip.decompress(packed(MODEL)))


HOSTILE = {
    "climbs": (packed(MODEL, member("../outside", b"!")), "leaves the folder"),
    "climbs within": (packed(MODEL, member("variables/../../outside", b"!")), "leaves the folder"),
    "absolute": (packed(MODEL, member("/tmp/outside", b"!")), "leaves the folder"),  # noqa: S108
    "symbolic link": (packed(MODEL, member("a", type=tarfile.SYMTYPE, linkname="/etc")), "a link, a device"),
    "hard link": (packed(MODEL, member("a", type=tarfile.LNKTYPE, linkname="saved_model.pb")), "a link, a device"),
    "device": (packed(MODEL, member("a", type=tarfile.CHRTYPE)), "a link, a device"),
    "pipe": (packed(MODEL, member("a", type=tarfile.FIFOTYPE)), "a link, a device"),
    "10 GB in a header": (huge(), "unpack to more than 1048576 bytes"),
    "zeros": (bomb(), "unpack to more than 1048576 bytes"),
    "long header": (long_header(), "header of the archive is larger"),
    "many members": (packed(MODEL, *(member(f"{i}") for i in range(10_001))), "more than 10000 members"),
    "something behind": (packed(MODEL, extra=b"more"), "not a complete .tar.gz"),
    "another member behind": (GOOD + GOOD, "does not end after its last member"),
    "zeros behind": (LONG_END, "does not end after its last member"),
    "false checksum behind zeros": (LONG_END[:-8] + bytes(8), "does not end after its last member"),
    "false checksum": (GOOD[:-8] + bytes(8), "not a complete .tar.gz"),
    "negative size": (negative(), "claims to have -512 bytes"),
    "two of one name": (packed(MODEL, MODEL), "two of its members are named"),
    "file and folder": (packed(MODEL, member("saved_model.pb/a", b"!")), "is both a file and a folder"),
    "folder and file": (packed(member("a/b", b"!"), MODEL, member("a", b"!")), "is both a file and a folder"),
    "name of xz": (ambiguous("\udcfd7zXZ"), "is not printable text in UTF-8"),
    "no name": (packed(MODEL, member(".", b"!")), "has no name of its own"),
    "long name": (packed(MODEL, member("a/" * 2100, b"!")), "a member's name has 4199 letters"),
    "no model": (packed(member("readme.txt", b"hello")), "holds no SavedModel"),
    "model in a folder": (packed(member("stylizer/saved_model.pb", b"a graph")), "not at the archive's top"),
    "web page": (b"<html>Sign in</html>" * 100, "not a complete .tar.gz"),
    "nothing": (b"", "not a complete .tar.gz"),
    "other compression": (bz2.compress(b"tar"), "not a complete .tar.gz"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_refused_and_leaves_nothing(cache, server, tmp_path, name):
    data, said = HOSTILE[name]
    assert said in not_resolved(server.put("/stylizer.tar.gz", servers.whole(data)))
    path = tmp_path / "stylizer.tar.gz"
    path.write_bytes(data)
    assert said in not_resolved(path)
    assert left_in(cache) == []
    assert sorted(one.name for one in tmp_path.iterdir()) in (["stylizer.tar.gz"], ["cache", "stylizer.tar.gz"])


def test_ten_gigabytes_announced_are_refused_before_they_are_read(cache, server):
    handle = server.put("/stylizer.tar.gz", servers.announced(GOOD, 10 << 30))
    assert "10737418240 bytes exceed the limit of 2147483648" in not_resolved(handle, limits=None)
    assert left_in(cache) == []


def test_more_than_the_limit_without_an_announcement_is_refused(cache, server):
    handle = server.put("/stylizer.tar.gz", servers.unannounced(os.urandom(3 << 20)))
    assert "more than 1048576 bytes exceed the limit" in not_resolved(handle)
    assert left_in(cache) == []


def test_an_archive_on_the_disk_over_the_limit_is_refused(cache, tmp_path):
    path = tmp_path / "stylizer.tar.gz"
    with path.open("wb") as stream:
        stream.truncate(10 << 30)
    assert "exceed the limit" in not_resolved(path, limits=None)


# Where a server leads


@pytest.mark.parametrize(
    "address", ["ftp://127.0.0.1/a.tar.gz", "file:///etc/passwd", "data:,a", "gs://bucket/a.tar.gz"]
)
def test_a_redirection_leads_to_web_addresses_alone(cache, server, address):
    said = not_resolved(server.put("/a.tar.gz", servers.moved(address)))
    assert "refused: it leads to " in said
    assert left_in(cache) == []


def test_a_redirection_never_leaves_a_protected_connection(cache):
    from toolkit.sources.resolvers import _Redirections

    request = urllib.request.Request("https://tfhub.dev/a?token=secret")
    headers = {"location": "http://tfhub.dev/a?token=secret"}
    with pytest.raises(InputError, match=r"https://tfhub\.dev/a: refused: it leads to http://tfhub\.dev/a, which"):
        _Redirections().http_error_302(request, None, 302, "Found", headers)


def test_the_body_of_a_redirection_is_not_read(cache, server):
    final = server.put("/final.tar.gz", servers.whole(GOOD))
    handle = server.put("/a.tar.gz", servers.moved(final, body=servers.dripping(b"x" * 10_000, 0.05)))
    assert hub.resolve(handle, hub.DownloadLimits(timeout=30, total_timeout=30)).path.is_dir()


def test_the_body_of_an_error_is_bounded(cache, server):
    handle = server.put("/a.tar.gz", servers.failing(500, endless=True))
    assert "HTTP 500" in not_resolved(handle, WorkError)


# Whose work is taken


def test_the_cache_is_the_user_s_own(monkeypatch, tmp_path, server):
    monkeypatch.delenv("TFHUB_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = hub.resolve(server.put("/a.tar.gz", servers.whole(GOOD))).path
    assert folder.parent == tmp_path / "styleport" / "tfhub_modules"
    assert folder.parent.stat().st_mode & 0o777 == 0o700
    folder.parent.chmod(0o777)
    hub.resolve(server.put("/b.tar.gz", servers.whole(GOOD)))
    assert folder.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("what", ["cache", "module", "link to the cache"])
def test_what_another_user_has_put_into_the_cache_is_refused(cache, server, monkeypatch, what):
    handle = server.put("/a.tar.gz", servers.whole(GOOD))
    module = hub.resolve(handle).path
    if what == "link to the cache":
        cache.rename(cache.with_name("elsewhere"))
        cache.symlink_to(cache.with_name("elsewhere"))
    module_file = {"cache": cache, "module": module, "link to the cache": cache}[what]
    lstat = type(cache).lstat

    def owned(path):
        status = lstat(path)
        return os.stat_result([*status[:4], 12345, *status[5:10]]) if path == module_file else status

    monkeypatch.setattr(type(cache), "lstat", owned)
    assert f"{module_file}: refused: another user (number 12345) made it" in not_resolved(handle)


@pytest.mark.parametrize("change", ["changed", "added", "removed"])
def test_a_module_that_is_not_as_it_was_unpacked_is_fetched_again(cache, server, change):
    handle = server.put("/a.tar.gz", servers.whole(GOOD))
    file = hub.resolve(handle).path / "variables" / "index"
    {
        "changed": lambda: file.write_bytes(b"other"),
        "added": lambda: os.mkfifo(file.with_name("pipe")),
        "removed": lambda: file.unlink(),
    }[change]()
    assert hub.resolve(handle).path / "variables" / "index" == file
    assert file.read_bytes() == b"weights"
    assert len(server.asked) == 2


def test_a_module_that_tensorflow_hub_left_in_the_cache_is_taken_and_held_from_then_on(cache, server):
    handle = server.put("/a.tar.gz", servers.whole(GOOD))
    folder = hub.resolve(handle).path
    record = folder.with_name(folder.name + ".sha256")
    recorded = record.read_text()
    record.unlink()
    hub.resolve(handle)
    assert (record.read_text(), len(server.asked)) == (recorded, 1)


def test_a_cache_that_cannot_be_made_is_told_with_what_to_do(monkeypatch, tmp_path, server):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "file" / "cache"))
    assert "set TFHUB_CACHE_DIR to a folder" in not_resolved(server.put("/a.tar.gz", servers.whole(GOOD)))


# Several at once


def start(handle, cache):
    environment = {**os.environ, "TFHUB_CACHE_DIR": str(cache), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", FETCH, handle]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_two_processes_that_fetch_the_same_at_once_both_end_well(cache, server):
    handle = server.put("/stylizer.tar.gz", servers.slowly(GOOD, 2))
    processes = [start(handle, cache) for _ in range(2)]
    results = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0, 0], results
    folders = {output.strip() for output, _ in results}
    assert len(folders) == 1
    assert (cache / folders.pop() / "saved_model.pb").read_bytes() == b"a graph"
    assert not [name for name in left_in(cache) if name.endswith((".tmp", ".lock"))]


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_the_lock_of_a_process_that_was_killed_is_not_waited_for(cache, server):
    handle = server.put("/stylizer.tar.gz", servers.dripping(GOOD * 1000, 0.1))
    process = start(handle, cache)
    while not server.asked:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert [name for name in left_in(cache) if name.endswith(".lock")]
    server.put("/stylizer.tar.gz", servers.whole(GOOD))
    assert (hub.resolve(handle).path / "saved_model.pb").read_bytes() == b"a graph"
    assert not [name for name in left_in(cache) if name.endswith((".tmp", ".lock"))]


# What is kept


def test_a_copy_is_kept_with_its_origin_and_sha256(run, cache, server, tmp_path):
    handle = server.put("/google/stylizer/2", servers.whole(GOOD))
    code, output, _ = run("fetch", handle, tmp_path / "kept" / "stylizer", "--json")
    assert code == 0
    printed = json.loads(output)
    record = json.loads((tmp_path / "kept" / "stylizer.fetched.json").read_text())
    assert printed == {"path": str(tmp_path / "kept" / "stylizer"), **record}
    assert record["handle"] == record["url"] == handle
    assert record["sha256"] == graph_file.digest(tmp_path / "kept" / "stylizer")
    assert record["bytes"] == len(b"a graph" + b"weights")
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == ["stylizer", "stylizer.fetched.json"]


def test_fetch_prints_one_line(run, cache, server, tmp_path):
    handle = server.put("/a.tar.gz", servers.whole(GOOD))
    code, output, error = run("fetch", handle, tmp_path / "copy")
    assert (code, error) == (0, "")
    assert output == f"{tmp_path / 'copy'}: 14 bytes, sha256 {graph_file.digest(tmp_path / 'copy')}\n"


def test_fetch_replaces_nothing_and_asks_nobody_first(run, cache, server, tmp_path):
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "mine.txt").write_text("mine")
    code, _, error = run("fetch", server.put("/a.tar.gz", servers.whole(GOOD)), tmp_path / "copy")
    assert (code, server.asked) == (2, [])
    assert "exists already; choose another path" in error


def test_a_fetch_that_fails_leaves_nothing(run, cache, server, tmp_path):
    code, output, error = run("fetch", server.address + "/nowhere", tmp_path / "made" / "copy")
    assert (code, output) == (1, "")
    assert "HTTP 404" in error
    assert not (tmp_path / "made").exists()


def test_what_fetch_may_take_is_bounded_by_its_options(run, cache, server, tmp_path):
    handle = server.put("/a.tar.gz", servers.announced(b"", 3_000_000))
    code, _, error = run("fetch", handle, tmp_path / "copy", "--max-size", "2")
    assert code == 2
    assert "3000000 bytes exceed the limit of 2000000" in error


@pytest.mark.parametrize("handle", ["nowhere", "nowhere.tar.gz", "."])
def test_fetch_takes_no_folder(run, cache, tmp_path, handle):
    code, _, error = run("fetch", handle, tmp_path / "copy")
    assert code == 2
    assert "give an address such as" in error


# What a cleaner of temporary folders took


@pytest.fixture(scope="module")
def tiny_module(tmp_path_factory):
    """A packed SavedModel with a variable and an asset."""
    import tensorflow as tf

    folder = tmp_path_factory.mktemp("tiny")
    (folder / "words.txt").write_text("one")
    module = tf.Module()
    module.asset = tf.saved_model.Asset(str(folder / "words.txt"))
    module.weight = tf.Variable(tf.range(1000.0))
    module.__call__ = tf.function(lambda x: module.weight * x, [tf.TensorSpec(())])
    tf.saved_model.save(module, str(folder / "module"))
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        archive.add(folder / "module", ".")
    return stream.getvalue()


def emptied(folder):
    for path in folder.rglob("*"):
        if path.is_file():
            path.unlink()


def without(name):
    return lambda folder: [path.unlink() for path in folder.rglob(name)]


def cut_short(folder):
    data = next(folder.rglob("variables.data*"))
    data.write_bytes(data.read_bytes()[:-1])


TAKEN = {
    "all files": emptied,
    "the graph": without("saved_model.pb"),
    "the index": without("variables.index"),
    "the weights": without("variables.data*"),
    "the end of the weights": cut_short,
    "an asset": without("words.txt"),
}


@pytest.mark.parametrize("taken", TAKEN)
def test_a_module_of_which_a_cleaner_took_files_is_fetched_again(cache, server, tiny_module, tmp_path, taken):
    handle = server.put("/stylizer/2", servers.whole(tiny_module))
    path = tmp_path / "stylizer.tar.gz"
    path.write_bytes(tiny_module)
    for source in (handle, path):
        before = graph_file.digest(hub.resolve(source).path)
        TAKEN[taken](hub.resolve(source).path)
        again = hub.resolve(source)
        assert graph_file.digest(again.path) == before
    assert len(server.asked) == 2
    assert not [name for name in left_in(cache) if "damaged" in name]


def test_a_module_that_can_not_be_fetched_again_is_told_with_what_the_cache_lacked(cache, server, tiny_module):
    handle = server.put("/stylizer/2", servers.whole(tiny_module))
    emptied(hub.resolve(handle).path)
    server.remove("/stylizer/2")
    said = not_resolved(handle, WorkError)
    assert "the copy in TensorFlow Hub's cache lacked saved_model.pb, and it cannot be fetched: HTTP 404" in said


def test_an_archive_of_part_of_a_module_is_refused_and_not_asked_for_twice(cache, server, tiny_module):
    stream = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(tiny_module)) as whole, tarfile.open(fileobj=stream, mode="w:gz") as part:
        for info in whole.getmembers():
            if "index" not in info.name:
                part.addfile(info, whole.extractfile(info))
    handle = server.put("/stylizer/2", servers.whole(stream.getvalue()))
    assert "holds an incomplete SavedModel: variables/variables.index is missing" in not_resolved(handle)
    assert len(server.asked) == 1


def test_a_folder_without_files_has_no_digest(tmp_path):
    (tmp_path / "variables").mkdir()
    with pytest.raises(InputError, match="holds no files"):
        graph_file.digest(tmp_path)
