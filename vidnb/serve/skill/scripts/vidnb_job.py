"""Ask vidnb one thing: a JSON object as the argument or on stdin, a JSON object on stdout.

python vidnb_job.py '{"do": "quote", "model": "leonardo/motion_2.0", "prompt": "a koala in a meadow"}'

Exit code 0: done; 1: refused, and the answer says why. A submit that is repeated with its token never pays twice.
"""

import json
import subprocess
import sys
from pathlib import Path

PYTHON = ""  # the Python that had vidnb when this folder was installed

try:
    from vidnb.serve.asking import main
except ImportError:
    if PYTHON and sys.executable != PYTHON and Path(PYTHON).exists():
        sys.exit(subprocess.call([PYTHON, __file__, *sys.argv[1:]]))
    message = "this Python has no vidnb: run the script with the Python that has it, or pip install vidnb"
    print(json.dumps({"error": {"kind": "settings", "message": message, "problems": []}}))
    sys.exit(1)

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
