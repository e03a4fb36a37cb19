"""The build's identity: what .git or an archive says, and nothing invented."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from icryptotrader.cli import app
from shared.version import ROOT, build, commit_of

FIRST, SECOND = "a1" * 20, "b2" * 20


def put(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_a_branch_a_packed_branch_and_a_bare_commit_are_read(tmp_path: Path) -> None:
    loose = put(tmp_path / "a", **{".git__HEAD": "ref: refs/heads/main\n"})
    put(loose, **{".git__refs/heads/main": f"{FIRST}\n"})
    assert commit_of(loose) == FIRST
    packed = put(tmp_path / "b", **{".git__HEAD": "ref: refs/heads/x/y\n"})
    rows = f"# pack-refs with: peeled\n{FIRST} refs/heads/x\n{SECOND} refs/heads/x/y\n"
    put(packed, **{".git__packed-refs": rows})
    assert commit_of(packed) == SECOND
    assert commit_of(put(tmp_path / "c", **{".git__HEAD": f"{SECOND}\n"})) == SECOND


def test_a_worktree_finds_its_branch_in_the_common_folder(tmp_path: Path) -> None:
    main = put(tmp_path / "main", **{".git__refs/heads/side": FIRST})
    put(main, **{".git__worktrees/w__HEAD": "ref: refs/heads/side", ".git__worktrees/w__x": ""})
    put(main, **{".git__worktrees/w__commondir": "../..\n"})
    tree = put(tmp_path / "tree", **{".git": f"gitdir: {main}/.git/worktrees/w\n"})
    assert commit_of(tree) == FIRST


@pytest.mark.parametrize(
    ("text", "found"),
    [(SECOND, SECOND), ("$Format:%H$\n", ""), ("", ""), ("not a commit", ""), ("\u00e4", "")],
)
def test_an_archive_says_it_in_a_file_and_a_placeholder_is_none(
    tmp_path: Path, text: str, found: str
) -> None:
    assert commit_of(put(tmp_path, COMMIT=text)) == found


def test_a_folder_that_tells_nothing_has_no_commit(tmp_path: Path) -> None:
    assert commit_of(tmp_path) == ""
    assert commit_of(put(tmp_path, **{".git__HEAD": "ref: refs/heads/unborn\n"})) == ""


@pytest.mark.skipif(shutil.which("git") is None, reason="no git on this machine")
def test_git_archive_fills_the_commit_in(tmp_path: Path) -> None:
    """What the repository's own rule for archives makes of COMMIT."""
    run = ("git", "-C", str(tmp_path))
    put(tmp_path, COMMIT="$Format:%H$\n")
    (tmp_path / ".gitattributes").write_bytes((ROOT / ".gitattributes").read_bytes())
    who = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    subprocess.run((*run, "init", "-q"), check=True)
    subprocess.run((*run, "add", "."), check=True)
    subprocess.run((*run, *who, "commit", "-q", "-m", "x"), check=True)
    subprocess.run((*run, "archive", "-o", str(tmp_path / "x.tar"), "HEAD"), check=True)
    with tarfile.open(tmp_path / "x.tar") as archive:
        archive.extractall(tmp_path / "out", filter="data")
    assert commit_of(tmp_path / "out") == commit_of(tmp_path) != ""


def test_the_command_line_says_the_build(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        app(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.strip() == f"icryptotrader {build()}"
    assert build().startswith("0.1.0")
