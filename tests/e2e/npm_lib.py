"""Packages of the npm registry for a test, in a folder that goes with it."""
import shutil
import subprocess

from lib import check, folder, skip, step


def install(package):
    """The folder; without node, npm or a registry that answers the test is skipped."""
    if not shutil.which("node") or not shutil.which("npm"):
        skip("this needs node and npm")
    d = folder()
    step(f"npm install {package}")
    installed = subprocess.run(["npm", "install", "--prefix", d, "--no-save", "--ignore-scripts", "--no-audit", "--no-fund",
                                "--fetch-retries=1", "--fetch-timeout=20000", package], capture_output=True, text=True, check=False,
                               timeout=120)
    if installed.returncode != 0:
        reached = subprocess.run(["npm", "ping", "--fetch-retries=0", "--fetch-timeout=10000"], capture_output=True, check=False)
        check(reached.returncode != 0, f"npm install, with a registry that answers: {installed.stderr[-1500:]}")
        skip("npm registry not reachable")
    return d
