"""Find intent and slots in sentences, and write them as JSON lines.

python examples/tag_sentences.py runs/slots-travel "arrive Taipei on November 2nd" "book a hotel in Oslo"
"""

import argparse
import json


def main(arguments: list[str] | None = None) -> None:
    """Print a JSON object for each sentence."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", help="a tagger's run directory")
    parser.add_argument("text", nargs="+", help="sentences")
    options = parser.parse_args(arguments)

    from slot_filling import Tagger

    for tagging in Tagger.load(options.run).tag_many(options.text):
        slots = {slot.label: slot.value or slot.text for slot in tagging.slots}
        print(json.dumps({"text": tagging.text, "intent": tagging.intent, **slots}, ensure_ascii=False))


if __name__ == "__main__":
    main()
