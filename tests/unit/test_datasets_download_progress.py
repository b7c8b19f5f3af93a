"""The progress that is reported while bytes arrive."""

import io

from workflow_lib.datasets.download.progress import Meter


def test_progress_tells_bytes_rate_and_the_time_that_is_left():
    now = [0.0]
    said: list[str] = []
    meter = Meter(100_000_000, said.append, every=10, clock=lambda: now[0])
    for second in range(1, 31):
        now[0] = second
        meter.add(1_000_000)
    assert said == [
        "10.0 MB of 100.0 MB (10 %), 1.0 MB/s, 1 min 30 s left",
        "20.0 MB of 100.0 MB (20 %), 1.0 MB/s, 1 min 20 s left",
        "30.0 MB of 100.0 MB (30 %), 1.0 MB/s, 1 min 10 s left",
    ]


def test_what_was_there_before_counts_but_not_for_the_rate():
    now = [0.0]
    said: list[str] = []
    meter = Meter(100_000_000, said.append, have=40_000_000, every=10, clock=lambda: now[0])
    now[0] = 10
    meter.add(10_000_000)
    now[0] = 20
    meter.add(-50_000_000)
    assert said == [
        "50.0 MB of 100.0 MB (50 %), 1.0 MB/s, 50 s left",
        "0 B of 100.0 MB (0 %), 0 B/s",
    ]


def test_of_an_unknown_total_no_share_is_told():
    now = [0.0]
    said: list[str] = []
    meter = Meter(0, said.append, every=10, clock=lambda: now[0])
    now[0] = 10
    meter.add(5000)
    assert said == ["5.0 kB so far, 500 B/s"]


def test_on_a_terminal_one_line_is_written_over():
    now = [0.0]
    terminal = io.StringIO()
    meter = Meter(4000, lambda text: print(text, file=terminal), clock=lambda: now[0], terminal=terminal)
    for time in (1, 2):
        now[0] = time
        meter.add(1000)
    meter.say("something else")
    meter.close()
    first, second = "1.0 kB of 4.0 kB (25 %), 1.0 kB/s, 3 s left", "2.0 kB of 4.0 kB (50 %), 1.0 kB/s, 2 s left"
    clear = "\r\x1b[K"
    assert terminal.getvalue() == f"{clear}{first}{clear}{second}{clear}something else\n{clear}"
