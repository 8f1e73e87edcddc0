"""Ask a running server what is said in a recording, with nothing but the standard library.

sluice serve runs/understand-travel &
python examples/call_the_server.py http://127.0.0.1:8000 request.wav
"""

import argparse
import json
import os
import urllib.request
import uuid
from pathlib import Path
from typing import Any


def main(arguments: list[str] | None = None) -> None:
    """Print text, intent and slots."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("server", help="its address")
    parser.add_argument("audio", type=Path, help="audio file")
    options = parser.parse_args(arguments)

    answer = understand(options.server, options.audio, os.environ.get("SLUICE_API_KEY"))
    print(answer["written_text"], answer["intent"])
    for slot in answer["slots"]:
        print(f"  {slot['label']}: {slot['written']}")


def understand(server: str, audio: Path, key: str | None = None) -> dict[str, Any]:
    """Send a file to `/v1/understand`; an error's message is the server's own."""
    border = uuid.uuid4().hex
    head = f'--{border}\r\nContent-Disposition: form-data; name="file"; filename="{audio.name}"\r\n\r\n'
    body = head.encode() + audio.read_bytes() + f"\r\n--{border}--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={border}"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    request = urllib.request.Request(f"{server}/v1/understand", body, headers)
    with urllib.request.urlopen(request) as response:
        return json.load(response)


if __name__ == "__main__":
    main()
