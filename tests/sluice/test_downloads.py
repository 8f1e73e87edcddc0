"""Downloads of corpora, from a server on loopback that breaks off, changes its mind, or knows no ranges."""

import hashlib
import io
import json
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sluice.cli import main
from sluice.downloads import fetch as fetching
from sluice.downloads.corpus import download
from sluice.downloads.errors import DownloadError
from sluice.downloads.table import CORPORA, Corpus, RemoteFile
from sluice.downloads.unpack import unpack
from sluice.recipes import find_recipe


def tar_of(files: dict[str, bytes]) -> bytes:
    """A tar.gz archive of some files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


# Random bytes: nothing compresses them to less than a few chunks.
NOISE = b"".join(hashlib.sha256(bytes([number % 251, number // 251])).digest() for number in range(4000))
ARCHIVE = tar_of({"corpus/etc/words": b"one two", "corpus/wav/a.wav": NOISE})
SHA256 = hashlib.sha256(ARCHIVE).hexdigest()


@dataclass
class Served:
    """What the server has and how it behaves; tests change it between requests."""

    url: str = ""
    body: bytes = ARCHIVE
    tag: str | None = '"one"'
    ranges: bool = True
    cut_after: list[int] = field(default_factory=list)
    """For each of the next answers, how many bytes it sends before the connection breaks."""
    statuses: list[int] = field(default_factory=list)
    """For each of the next answers, the status it fails with."""
    asked: list[dict[str, str]] = field(default_factory=list)
    """The headers of each request."""
    sent: int = 0


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A server on loopback."""
    state = Served()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append(dict(self.headers))
            if state.statuses:
                self.send_error(state.statuses.pop(0))
                return
            begin, size = 0, len(state.body)
            asked = self.headers.get("Range")
            if asked and state.ranges and self.headers.get("If-Range", state.tag) == state.tag:
                begin = int(asked.removeprefix("bytes=").removesuffix("-"))
                if begin >= size:
                    self.send_response(416)
                    self.send_header("Content-Range", f"bytes */{size}")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {begin}-{size - 1}/{size}")
            else:
                self.send_response(200)
            self.send_header("Content-Length", str(size - begin))
            if state.tag:
                self.send_header("ETag", state.tag)
            self.end_headers()
            data = state.body[begin:]
            if state.cut_after:
                data = data[: state.cut_after.pop(0)]
                self.close_connection = True
            self.wfile.write(data)
            state.sent += len(data)

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    monkeypatch.setattr(fetching, "PAUSES_SECONDS", (0.0, 0.0))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}/corpus.tar.gz"
    yield state
    server.shutdown()
    server.server_close()
    thread.join(5)


def corpus_at(url: str, size: int | None = len(ARCHIVE), sha256: str | None = SHA256) -> Corpus:
    return Corpus("Noise", "none", "http://127.0.0.1/", "ctc/an4", (RemoteFile(url, size, sha256),))


def is_whole(folder: Path) -> bool:
    return (folder / "wav" / "a.wav").read_bytes() == NOISE and (folder / "etc" / "words").exists()


def test_a_whole_download_is_verified_unpacked_and_leaves_nothing_else(
    served: Served, tmp_path: Path
) -> None:
    assert download(corpus_at(served.url), tmp_path / "noise", quiet=True) == {"corpus.tar.gz": SHA256}
    assert is_whole(tmp_path / "noise")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["noise", "noise.sha256"]
    assert (tmp_path / "noise.sha256").read_text() == f"{SHA256}  corpus.tar.gz\n"


def test_a_connection_that_breaks_off_goes_on_where_it_was(served: Served, tmp_path: Path) -> None:
    served.cut_after = [5000, 0, 7000]
    download(corpus_at(served.url), tmp_path / "noise", quiet=True)
    assert is_whole(tmp_path / "noise") and served.sent == len(ARCHIVE)
    assert [headers.get("Range") for headers in served.asked] == [
        None,
        "bytes=5000-",
        "bytes=5000-",
        "bytes=12000-",
    ]
    assert served.asked[-1]["If-Range"] == '"one"'


def test_a_repeated_command_goes_on_with_what_an_earlier_one_left(served: Served, tmp_path: Path) -> None:
    served.cut_after = [5000, 0, 0, 0]
    with pytest.raises(DownloadError, match=r"broke off after 5000 bytes .*repeat the command"):
        download(corpus_at(served.url), tmp_path / "noise", quiet=True)
    assert not (tmp_path / "noise").exists()
    served.cut_after = []
    download(corpus_at(served.url), tmp_path / "noise", quiet=True)
    assert is_whole(tmp_path / "noise") and served.sent == len(ARCHIVE)


def test_a_file_that_changed_meanwhile_is_fetched_anew(served: Served, tmp_path: Path) -> None:
    served.body, served.tag, served.cut_after = b"x" * 9000, '"zero"', [5000, 0, 0, 0]
    with pytest.raises(DownloadError):
        download(corpus_at(served.url), tmp_path / "noise", quiet=True)
    served.body, served.tag, served.cut_after = ARCHIVE, '"one"', []
    download(corpus_at(served.url), tmp_path / "noise", quiet=True)
    assert is_whole(tmp_path / "noise") and served.asked[-1]["If-Range"] == '"zero"'


def test_a_server_without_ranges_sends_it_all_again(served: Served, tmp_path: Path) -> None:
    served.ranges, served.cut_after = False, [5000]
    download(corpus_at(served.url), tmp_path / "noise", quiet=True)
    assert is_whole(tmp_path / "noise") and served.sent == 5000 + len(ARCHIVE)


def test_without_version_and_checksum_nothing_is_continued(served: Served, tmp_path: Path) -> None:
    served.tag, served.cut_after = None, [5000]
    download(corpus_at(served.url, None, None), tmp_path / "noise", quiet=True)
    assert is_whole(tmp_path / "noise")
    assert [headers.get("Range") for headers in served.asked] == [None, None]


def test_a_part_that_is_whole_already_is_taken(served: Served, tmp_path: Path) -> None:
    left = tmp_path / "noise.download" / "files"
    left.mkdir(parents=True)
    (left / "corpus.tar.gz.part").write_bytes(ARCHIVE)
    download(corpus_at(served.url), tmp_path / "noise", quiet=True)
    assert is_whole(tmp_path / "noise") and served.sent == 0


def test_a_part_that_is_too_long_is_thrown_away(served: Served, tmp_path: Path) -> None:
    left = tmp_path / "noise.download" / "files"
    left.mkdir(parents=True)
    (left / "corpus.tar.gz.part").write_bytes(ARCHIVE + b"more")
    download(corpus_at(served.url), tmp_path / "noise", quiet=True)
    assert is_whole(tmp_path / "noise") and served.sent == len(ARCHIVE)


def test_a_wrong_checksum_names_both_and_leaves_no_file(served: Served, tmp_path: Path) -> None:
    wrong = "0" * 64
    with pytest.raises(DownloadError, match=f"SHA-256 is {SHA256}, and {wrong} was expected"):
        download(corpus_at(served.url, sha256=wrong), tmp_path / "noise", quiet=True)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == []
    download(corpus_at(served.url), tmp_path / "noise", sha256=SHA256.upper(), quiet=True)
    assert is_whole(tmp_path / "noise")


def test_a_wrong_size_names_both_and_leaves_no_file(served: Served, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=f"has {len(ARCHIVE)} bytes, and 17 were expected"):
        download(corpus_at(served.url, 17), tmp_path / "noise", quiet=True)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_checksum_that_a_person_gives_is_of_a_file_of_any_size(served: Served, tmp_path: Path) -> None:
    corpus = corpus_at(served.url, size=12, sha256="0" * 64)
    download(corpus, tmp_path / "noise", sha256=SHA256, quiet=True)
    assert is_whole(tmp_path / "noise")


def test_what_cannot_be_verified_is_compared_with_an_earlier_download(
    served: Served, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    corpus = corpus_at(served.url, None, None)
    download(corpus, tmp_path / "noise", quiet=True)
    assert f"cannot be verified; its SHA-256 is {SHA256}" in caplog.text
    (tmp_path / "noise").rename(tmp_path / "away")
    served.body, served.tag = tar_of({"corpus/other": b"x"}), '"two"'
    with pytest.raises(DownloadError, match=r"expected by .*noise\.sha256, of an earlier download"):
        download(corpus, tmp_path / "noise", quiet=True)
    assert not (tmp_path / "noise").exists()


def test_a_server_that_does_not_have_it_says_so_at_once(served: Served, tmp_path: Path) -> None:
    served.statuses = [404, 404]
    with pytest.raises(DownloadError, match=r"corpus\.tar\.gz: the server answers 404 Not Found"):
        download(corpus_at(served.url), tmp_path / "noise", quiet=True)
    assert len(served.asked) == 1


def test_a_server_that_is_busy_is_asked_again(served: Served, tmp_path: Path) -> None:
    served.statuses = [503]
    download(corpus_at(served.url), tmp_path / "noise", quiet=True)
    assert is_whole(tmp_path / "noise") and len(served.asked) == 2


def test_no_server_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="cannot be reached"):
        download(corpus_at("http://127.0.0.1:9/corpus.tar.gz"), tmp_path / "noise", quiet=True)


def test_a_folder_that_cannot_be_made_is_named(served: Served, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DownloadError, match=r"file.noise\.download: cannot be made"):
        download(corpus_at(served.url), tmp_path / "file" / "noise", quiet=True)
    assert served.asked == []


def test_a_disk_that_is_too_small_is_seen_before_the_download(served: Served, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="are needed to fetch and unpack it"):
        download(corpus_at(served.url, size=1 << 60), tmp_path / "noise", quiet=True)
    assert served.asked == []


def test_a_file_that_cannot_be_written_is_named(served: Served, tmp_path: Path) -> None:
    (tmp_path / "noise.download" / "files" / "corpus.tar.gz.part").mkdir(parents=True)
    with pytest.raises(DownloadError, match=r"corpus\.tar\.gz\.part: cannot be written"):
        download(corpus_at(served.url), tmp_path / "noise", quiet=True)


def test_a_folder_that_is_there_is_left_alone(served: Served, tmp_path: Path) -> None:
    (tmp_path / "noise").mkdir()
    with pytest.raises(DownloadError, match="is there already"):
        download(corpus_at(served.url), tmp_path / "noise", quiet=True)
    assert served.asked == []


def test_files_that_are_no_archives_go_where_they_belong(served: Served, tmp_path: Path) -> None:
    served.body = b"one two\n"
    files = tuple(RemoteFile(served.url, path=f"{split}/seq.in") for split in ("train", "test"))
    download(Corpus("Words", "none", "", "slots/atis", files), tmp_path / "words", quiet=True)
    assert (tmp_path / "words" / "train" / "seq.in").read_bytes() == b"one two\n"
    assert (tmp_path / "words" / "test" / "seq.in").exists()


def test_archives_never_leave_their_folder(tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz").write_bytes(tar_of({"../outside": b"x"}))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as opened:
        opened.writestr("../outside", "x")
    for name in ("a.tar.gz", "a.zip"):
        with pytest.raises(DownloadError, match="outside"):
            unpack(tmp_path / name, tmp_path / "inside")
    assert not (tmp_path / "outside").exists()


def test_a_zip_is_unpacked_and_a_damaged_archive_is_named(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as opened:
        opened.writestr("corpus/words", "one")
    unpack(tmp_path / "a.zip", tmp_path / "inside")
    assert (tmp_path / "inside" / "corpus" / "words").read_text() == "one"
    (tmp_path / "b.tar.gz").write_bytes(ARCHIVE[:4000])
    with pytest.raises(DownloadError, match=r"b\.tar\.gz: cannot be unpacked"):
        unpack(tmp_path / "b.tar.gz", tmp_path / "other")


def test_the_command_says_the_licence_first_and_how_to_train_last(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(CORPORA, "noise", corpus_at(served.url))
    assert main(["download", "noise", "--quiet"]) == 0
    said = capsys.readouterr().out
    assert said.index("licence: none") < said.index("sluice train ctc/an4 --data data/noise")
    assert is_whole(tmp_path / "data" / "noise")
    assert main(["download", "noise", "--to", "again", "--sha256", SHA256, "--json", "--quiet"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (
        facts["sha256"] == {"corpus.tar.gz": SHA256} and facts["train"] == "sluice train ctc/an4 --data again"
    )
    assert main(["download", "noise", "--to", "other", "--sha256", "0" * 64, "--quiet"]) == 1
    assert SHA256 in capsys.readouterr().err
    assert main(["download", "nothing"]) == 1
    assert "there are an4, fsdd" in capsys.readouterr().err


def test_the_table_lists_what_can_be_downloaded(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["download", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert main(["download"]) == 0
    table = capsys.readouterr().out
    for each in listed:
        assert each["corpus"] in table and find_recipe(each["recipe"]).exists()
        assert each["licence"] and each["description"] and each["page"].startswith("http")
        for file in each["files"]:
            assert file["url"].startswith("https://")
            assert file["sha256"] is None or len(file["sha256"]) == 64
