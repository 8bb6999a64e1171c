from __future__ import annotations

import gc
import hashlib
import socket
import threading
import time
import warnings
from email.utils import formatdate

import pytest

from eventtape.errors import FetchError
from eventtape.sources import Client, NotFoundError
from eventtape.sources.parts import write_atomic
from sources.loopback_server import Reply, as_json

BODY = bytes(range(256)) * 400  # 102,400 bytes
SUM = hashlib.sha256(BODY).hexdigest()
SWIFT = {"wait_initial": 0.0, "wait_max": 0.0, "wait_jitter": 0.0}


def ranged(body=BODY, tag='"v1"', **first):
    """A file server with ranges; ``first`` shapes its first answer."""
    answers = []

    def serve(asked):
        answers.append(asked)
        if len(answers) == 1 and first:
            return Reply(body, headers={"ETag": tag}, **first)
        headers = {k.lower(): v for k, v in asked.headers.items()}
        if "range" not in headers or headers.get("if-range") != tag:
            return Reply(body, headers={"ETag": tag})
        start = int(headers["range"].removeprefix("bytes=").removesuffix("-"))
        if start >= len(body):
            return Reply(b"", 416, {"Content-Range": f"bytes */{len(body)}"})
        span = f"bytes {start}-{len(body) - 1}/{len(body)}"
        return Reply(body[start:], 206, {"Content-Range": span, "ETag": tag})

    return serve


def test_json_and_its_parameters(client, loopback):
    loopback.routes["/x"] = lambda asked: as_json(asked.query)
    got = client.get_json(f"{loopback.base}/x", {"a": 1, "b": "two words"})
    assert got == {"a": "1", "b": "two words"}
    assert loopback.asked[0].headers["User-Agent"].startswith("eventtape/")


@pytest.mark.parametrize("when", ["connecting", "answering"])
def test_a_request_under_way_at_the_close_is_the_last_and_leaves_nothing_open(
    loopback, monkeypatch, when
):
    reached, go = threading.Event(), threading.Event()
    connect = socket.create_connection

    def held(result):
        reached.set()
        assert go.wait(60.0)
        return result

    def connecting(*where, **more):
        if when == "connecting" and threading.current_thread() is asking:
            held(None)
        return connect(*where, **more)

    def answering(asked):
        return held(Reply(b"here")) if when == "answering" else Reply(b"here")

    monkeypatch.setattr(socket, "create_connection", connecting)
    loopback.routes["/x"] = answering
    clients, got, url = [Client(**SWIFT)], [], f"{loopback.base}/x"
    asking = threading.Thread(target=lambda: got.append(clients[0].get_bytes(url)))
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        asking.start()
        assert reached.wait(60.0)
        clients[0].close()
        go.set()
        asking.join(60.0)
        with pytest.raises(FetchError, match="the client is closed"):
            clients[0].get_bytes(url)
        clients.clear()
        gc.collect()
    assert got == [b"here"]
    assert [str(one.message) for one in seen] == []


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_service_is_asked_again(client, loopback, status):
    loopback.routes["/x"] = [Reply(b"busy", status), Reply(b"busy", status), as_json([1])]
    assert client.get_json(f"{loopback.base}/x") == [1]
    assert len(loopback.asked) == 3


@pytest.mark.parametrize("date", [False, True])
def test_retry_after_is_honoured(client, loopback, date):
    # A date is whole seconds, so it may ask for anything up to the second it names.
    wait = formatdate(time.time() + 1.0, usegmt=True) if date else "0.3"
    loopback.routes["/x"] = [Reply(b"", 429, {"Retry-After": wait}), as_json([1])]
    began = time.time()
    assert client.get_json(f"{loopback.base}/x") == [1]
    assert time.time() >= (int(began + 1.0) if date else began + 0.3)


@pytest.mark.parametrize("text", ["0", "-3", "soon"])
def test_a_retry_after_that_asks_for_nothing_is_harmless(client, loopback, text):
    loopback.routes["/x"] = [Reply(b"", 503, {"Retry-After": text}), as_json([1])]
    assert client.get_json(f"{loopback.base}/x") == [1]


def test_a_wait_beyond_patience_is_an_error_at_once(loopback):
    loopback.routes["/x"] = Reply(b"", 429, {"Retry-After": "3600"})
    with (
        Client(patience=10, **SWIFT) as client,
        pytest.raises(FetchError, match=r"/x: status 429, asked to wait 3600 s, after 1 attempt"),
    ):
        client.get_json(f"{loopback.base}/x")


def test_a_service_that_stays_down_names_url_status_and_attempts(client, loopback):
    loopback.routes["/x"] = Reply(b"", 503)
    with pytest.raises(FetchError, match=r"/x\?a=1: status 503, after 4 attempt"):
        client.get_bytes(f"{loopback.base}/x", {"a": 1})
    assert len(loopback.asked) == 4


@pytest.mark.parametrize("status", [400, 401, 403, 410, 304])
def test_other_answers_are_final(client, loopback, status):
    loopback.routes["/x"] = Reply(b"", status)
    with pytest.raises(FetchError, match=f"/x: status {status}"):
        client.get_json(f"{loopback.base}/x")
    assert len(loopback.asked) == 1


def test_not_found_has_its_own_error(client, loopback):
    with pytest.raises(NotFoundError, match="/none: status 404"):
        client.get_json(f"{loopback.base}/none")


def test_nobody_listening_is_tried_again_and_then_named(client, loopback):
    loopback.close()
    with pytest.raises(FetchError, match=r"ConnectError.* after 4 attempt"):
        client.get_json(f"{loopback.base}/x")


def test_a_silent_service_times_out(loopback):
    loopback.routes["/x"] = lambda _asked: time.sleep(0.3) or as_json([])
    with (
        Client(timeout=0.05, attempts=2, **SWIFT) as client,
        pytest.raises(FetchError, match=r"ReadTimeout.* after 2 attempt"),
    ):
        client.get_json(f"{loopback.base}/x")


@pytest.mark.parametrize("url", ["nowhere", "ftp://127.0.0.1/x", "http://127.0.0.1:port/x"])
def test_a_url_that_is_none_is_not_tried_again(client, url):
    with pytest.raises(FetchError, match=url):
        client.get_json(url)


def test_a_redirect_is_followed_but_not_for_ever(client, loopback):
    loopback.routes["/old"] = Reply(status=302, headers={"Location": "/new"})
    loopback.routes["/new"] = as_json([1])
    loopback.routes["/round"] = Reply(status=302, headers={"Location": "/round"})
    assert client.get_json(f"{loopback.base}/old") == [1]
    with pytest.raises(FetchError, match="redirects"):
        client.get_json(f"{loopback.base}/round")


@pytest.mark.parametrize("body", [b"", b"<html>busy</html>", b'{"a": [1, 2', b"\xff\xfe\x00"])
def test_malformed_json_names_the_url_and_what_came(client, loopback, body):
    loopback.routes["/x"] = Reply(body)
    with pytest.raises(FetchError, match=r"/x: wanted JSON, got b'"):
        client.get_json(f"{loopback.base}/x")


def test_a_json_answer_cut_short_is_asked_again(client, loopback):
    loopback.routes["/x"] = [as_json([1, 2, 3], cut_at=4), as_json([1, 2, 3])]
    assert client.get_json(f"{loopback.base}/x") == [1, 2, 3]


def left(tmp_path):
    return sorted(path.name for path in tmp_path.iterdir())


def test_a_download_arrives_whole_and_leaves_nothing_else(client, loopback, tmp_path):
    loopback.routes["/f"] = ranged()
    seen = []
    got = client.download(
        f"{loopback.base}/f",
        tmp_path / "deep" / "f.bin",
        checksum=SUM,
        progress=lambda *told: seen.append(told),
    )
    assert got.read_bytes() == BODY
    assert left(got.parent) == ["f.bin"]
    assert seen[-1] == ("f.bin", len(BODY), len(BODY))
    assert [done for _, done, _ in seen] == sorted({done for _, done, _ in seen})


def test_a_file_that_is_there_is_not_asked_for_again(client, loopback, tmp_path):
    target = tmp_path / "f"
    target.write_bytes(BODY)
    assert client.download(f"{loopback.base}/f", target, checksum=SUM) == target
    assert client.download(f"{loopback.base}/f", target) == target
    assert loopback.asked == []


def test_a_file_that_is_there_but_wrong_is_fetched_anew(client, loopback, tmp_path):
    loopback.routes["/f"] = ranged()
    target = tmp_path / "f"
    target.write_bytes(b"old")
    client.download(f"{loopback.base}/f", target, checksum=SUM)
    assert target.read_bytes() == BODY


def test_a_download_cut_short_goes_on_where_it_stopped(client, loopback, tmp_path):
    loopback.routes["/f"] = ranged(cut_at=70_000)
    got = client.download(f"{loopback.base}/f", tmp_path / "f", checksum=SUM)
    assert got.read_bytes() == BODY
    second = loopback.asked[1].headers
    assert second["Range"] == "bytes=70000-"
    assert second["If-Range"] == '"v1"'
    assert left(tmp_path) == ["f"]


def interrupted(loopback, tmp_path, tag='"v1"', kept=50_000):
    """A download whose service goes down after ``kept`` bytes."""
    loopback.routes["/f"] = [
        Reply(BODY, headers={"ETag": tag} if tag else {}, cut_at=kept),
        Reply(status=503),
    ]
    with Client(attempts=2, **SWIFT) as client, pytest.raises(FetchError, match="503"):
        client.download(f"{loopback.base}/f", tmp_path / "f", checksum=SUM)
    loopback.asked.clear()


def test_a_later_run_resumes_the_part_an_earlier_one_left(client, loopback, tmp_path):
    interrupted(loopback, tmp_path)
    assert left(tmp_path) == ["f.part", "f.part.tag"]
    loopback.routes["/f"] = ranged()
    client.download(f"{loopback.base}/f", tmp_path / "f", checksum=SUM)
    assert (tmp_path / "f").read_bytes() == BODY
    assert [asked.headers["Range"] for asked in loopback.asked] == ["bytes=50000-"]
    assert left(tmp_path) == ["f"]


def test_a_file_that_changed_meanwhile_starts_again(client, loopback, tmp_path):
    interrupted(loopback, tmp_path)
    newer = BODY[::-1]
    loopback.routes["/f"] = ranged(newer, tag='"v2"')
    client.download(f"{loopback.base}/f", tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == newer


def test_a_service_that_ignores_ranges_sends_it_all_again(client, loopback, tmp_path):
    interrupted(loopback, tmp_path)
    loopback.routes["/f"] = Reply(BODY)
    client.download(f"{loopback.base}/f", tmp_path / "f", checksum=SUM)
    assert (tmp_path / "f").read_bytes() == BODY


@pytest.mark.parametrize("tag", [None, 'W/"weak"'])
def test_a_part_that_nothing_vouches_for_is_not_resumed(client, loopback, tmp_path, tag):
    interrupted(loopback, tmp_path, tag=tag)
    assert left(tmp_path) == ["f.part"]
    loopback.routes["/f"] = ranged()
    client.download(f"{loopback.base}/f", tmp_path / "f", checksum=SUM)
    assert "Range" not in loopback.asked[0].headers


def test_a_part_that_is_whole_already_is_only_moved(client, loopback, tmp_path):
    (tmp_path / "f.part").write_bytes(BODY)
    (tmp_path / "f.part.tag").write_text('"v1"')
    loopback.routes["/f"] = ranged()
    client.download(f"{loopback.base}/f", tmp_path / "f", checksum=SUM)
    assert (tmp_path / "f").read_bytes() == BODY


@pytest.mark.parametrize(
    "odd",
    [
        Reply(b"", 416, {"Content-Range": "bytes */7"}),
        Reply(BODY[9:], 206, {"Content-Range": f"bytes 9-{len(BODY) - 1}/{len(BODY)}"}),
        Reply(BODY[50_000:], 206),
    ],
    ids=["part longer than the file", "another range", "a range it does not name"],
)
def test_an_odd_answer_to_a_range_starts_again(client, loopback, tmp_path, odd):
    interrupted(loopback, tmp_path)
    loopback.routes["/f"] = [odd, Reply(BODY)]
    client.download(f"{loopback.base}/f", tmp_path / "f", checksum=SUM)
    assert (tmp_path / "f").read_bytes() == BODY


def test_a_range_given_in_pieces_is_asked_for_until_whole(client, loopback, tmp_path):
    interrupted(loopback, tmp_path)
    total = len(BODY)
    loopback.routes["/f"] = [
        Reply(BODY[50_000:60_000], 206, {"Content-Range": f"bytes 50000-59999/{total}"}),
        Reply(BODY[60_000:], 206, {"Content-Range": f"bytes 60000-{total - 1}/*"}),
    ]
    client.download(f"{loopback.base}/f", tmp_path / "f", checksum=SUM.upper())
    assert (tmp_path / "f").read_bytes() == BODY
    assert loopback.asked[1].headers["If-Range"] == '"v1"'


def test_a_range_refused_when_none_was_asked_is_final(client, loopback, tmp_path):
    loopback.routes["/f"] = Reply(b"", 416)
    with pytest.raises(FetchError, match="status 416"):
        client.download(f"{loopback.base}/f", tmp_path / "f")


def test_a_wrong_checksum_names_url_expected_and_got_and_leaves_nothing(client, loopback, tmp_path):
    loopback.routes["/f"] = ranged()
    wanted = "0" * 64
    with pytest.raises(FetchError, match=rf"/f: expected sha256 {wanted}, got {SUM}"):
        client.download(f"{loopback.base}/f", tmp_path / "f", checksum=wanted)
    assert left(tmp_path) == []


def test_always_cut_short_is_an_error_and_never_reaches_the_target(client, loopback, tmp_path):
    loopback.routes["/f"] = Reply(BODY, cut_at=1_000)
    with pytest.raises(FetchError, match=r"/f: .* after 4 attempt"):
        client.download(f"{loopback.base}/f", tmp_path / "f")
    assert not (tmp_path / "f").exists()


def test_a_body_of_unknown_length_is_taken_to_its_end(client, loopback, tmp_path):
    loopback.routes["/f"] = Reply(BODY, length=False)
    seen = []
    client.download(
        f"{loopback.base}/f", tmp_path / "f", checksum=SUM, progress=lambda *told: seen.append(told)
    )
    assert seen[-1] == ("f", len(BODY), None)


def test_compressed_bytes_are_refused(client, loopback, tmp_path):
    loopback.routes["/f"] = Reply(BODY, headers={"Content-Encoding": "gzip"})
    with pytest.raises(FetchError, match="wanted the bytes as stored"):
        client.download(f"{loopback.base}/f", tmp_path / "f")


def test_an_atomic_write_replaces_the_whole_file(tmp_path):
    target = tmp_path / "deep" / "x"
    for data in (b"first", b"2nd"):
        write_atomic(target, data)
        assert target.read_bytes() == data
    assert left(target.parent) == ["x"]
