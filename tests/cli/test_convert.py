"""`stargate import`."""

from __future__ import annotations

from pathlib import Path

from stargate import workloads
from stargate.cli.convert import command
from tests.cli.conftest import Run

SBATCH = (
    "#!/bin/bash\n#SBATCH --job-name=lm --nodes=2 --gres=gpu:8\n#SBATCH --array=1-4\nsrun python train.py\n"
)


def test_a_script_becomes_a_workload_file(run: Run, tmp_path: Path) -> None:
    assert command.name == "import"
    path = tmp_path / "lm.sbatch"
    path.write_text(SBATCH, encoding="utf-8")
    ran = run("import", path)
    assert ran.code == 0
    assert ran.out.startswith("# Imported from lm.sbatch (sbatch).\n")
    assert "# `--array` has no counterpart" in ran.out
    workload = workloads.parse(ran.out)
    assert workload.name == "lm"
    assert {"H100-SXM", "B200-SXM"} <= {each.chip for each in workload.alternatives}

    out = tmp_path / "lm.yaml"
    assert run("import", path, "-o", out).code == 0
    assert workloads.load(out) == workload
    said = run("import", path, "--json").json
    assert said["format"] == "sbatch"
    assert said["workload"]["nodes"] == 2


def test_files_that_cannot_be_imported(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "x.yml"
    for raw in (b"", b"\xff\xfe\x00", b"type: fleet\n", b"[", b"x" * (5 << 20)):
        path.write_bytes(raw)
        ran = run("import", path)
        assert ran.code == 2, raw[:10]
        assert ran.err.startswith(str(path))
    missing = run("import", tmp_path / "none")
    assert missing.code == 2
    assert "no such file" in missing.err
