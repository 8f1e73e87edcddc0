"""The table of corpora that `sluice download` fetches: address, size, SHA-256, licence.

A size or a checksum that no public source states is None: then the download cannot be verified, and says so.
"""

from dataclasses import dataclass

OPENSLR = "https://www.openslr.org/resources"
SLOT_GATED = "https://raw.githubusercontent.com/MiuLab/SlotGated-SLU/master/data"


@dataclass(frozen=True)
class RemoteFile:
    """One file of a corpus."""

    url: str
    size: int | None = None
    """In bytes."""
    sha256: str | None = None
    path: str | None = None
    """Where the file goes in the corpus's folder; None for an archive, which is unpacked."""

    @property
    def name(self) -> str:
        """What the file is called: its path in the corpus, or the last part of its address."""
        return self.path or self.url.rpartition("/")[2]


@dataclass(frozen=True)
class Corpus:
    """A public corpus."""

    description: str
    licence: str
    page: str
    """Where people read about it."""
    recipe: str
    """The recipe that trains on it."""
    files: tuple[RemoteFile, ...]
    rough_size: int | None = None
    """About how many bytes it has, where the size of a file is not known."""

    @property
    def size(self) -> int | None:
        """Bytes of all files, or None where one is not known."""
        sizes = [file.size for file in self.files if file.size is not None]
        return sum(sizes) if len(sizes) == len(self.files) else None

    @property
    def verified(self) -> bool:
        """Whether the checksum of every file is known."""
        return all(file.sha256 for file in self.files)


# Sizes and checksums of LibriSpeech and LJSpeech: those that TensorFlow Datasets (url_checksums) and torchaudio state.
LIBRISPEECH = {
    "dev-clean": (337926286, "76f87d090650617fca0cac8f88b9416e0ebf80350acb97b343a85fa903728ab3"),
    "dev-other": (314305928, "12661c48e8c3fe1de2c1caa4c3e135193bfb1811584f11f569dd12645aa84365"),
    "test-clean": (346663984, "39fde525e59672dc6d1551919b1478f724438a95aa55f874b576be21967e6c23"),
    "test-other": (328757843, "d09c181bba5cf717b3dee7d4d592af11a3ee3a09e08ae025c5506f6ebe961c29"),
    "train-clean-100": (6387309499, "d4ddd1d5a6ab303066f14971d768ee43278a5f2a0aa43dc716b0e64ecbbbf6e2"),
    "train-clean-360": (23049477885, "146a56496217e96c14334a160df97fffedd6e0a04e66b9c5af0d40be3c792ecf"),
    "train-other-500": (30593501606, "ddb22f27f96ec163645d53215559df6aa36515f26e01dd70798188350adcb6d2"),
}


def _librispeech(*splits: str) -> tuple[RemoteFile, ...]:
    return tuple(RemoteFile(f"{OPENSLR}/12/{split}.tar.gz", *LIBRISPEECH[split]) for split in splits)


def _slot_gated(corpus: str) -> tuple[RemoteFile, ...]:
    """Return the files of a corpus of sentences in the repository of Goo and others, NAACL 2018."""
    paths = [
        f"{split}/{name}" for split in ("train", "valid", "test") for name in ("seq.in", "seq.out", "label")
    ]
    return tuple(RemoteFile(f"{SLOT_GATED}/{corpus}/{path}", path=path) for path in paths)


CORPORA: dict[str, Corpus] = {
    "an4": Corpus(
        "CMU AN4: spelled words, numbers, addresses, dates; 74 speakers, 948 recordings for training, 130 for test, "
        "16 kHz",
        "free for any use, also commercial, with the notice of Carnegie Mellon University that comes with it",
        "http://www.speech.cs.cmu.edu/databases/an4/",
        "ctc/an4",
        (
            RemoteFile(  # the copy that the tutorials of NVIDIA NeMo use
                "https://dldata-public.s3.us-east-2.amazonaws.com/an4_sphere.tar.gz",
                sha256="a0525579493735d32b60fb6fa5975dd0eaacde087b0a4eeb7f13b7ef33077b12",
            ),
        ),
        64_000_000,
    ),
    "fsdd": Corpus(
        "Free Spoken Digit Dataset 1.0.10: English digits one at a time, 6 speakers, 3,000 recordings, 8 kHz",
        "CC BY-SA 4.0",
        "https://github.com/Jakobovski/free-spoken-digit-dataset",
        "ctc/fsdd",
        (
            RemoteFile(
                "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/tags/v1.0.10.zip",
                16419872,
                "c680098f5d2355ba7cc4bd8b0ca9e0a24c00ebe3b4c552208889a4d28d4fbc2b",
            ),
        ),
    ),
    "ljspeech": Corpus(
        "LJ Speech 1.1: one English reader, 13,100 passages of books, 24 hours, 22 kHz",
        "public domain",
        "https://keithito.com/LJ-Speech-Dataset/",
        "ctc/ljspeech",
        (
            RemoteFile(
                "https://data.keithito.com/data/speech/LJSpeech-1.1.tar.bz2",
                2748572632,
                "be1a30453f28eb8dd26af4101ae40cbf2c50413b1bb21936cbcdc6fae3de8aa5",
            ),
        ),
    ),
    "librispeech-mini": Corpus(
        "Mini LibriSpeech: English read aloud, 5 hours for training and 2 for dev, 16 kHz",
        "CC BY 4.0",
        "https://www.openslr.org/31/",
        "ctc/librispeech",
        (RemoteFile(f"{OPENSLR}/31/train-clean-5.tar.gz"), RemoteFile(f"{OPENSLR}/31/dev-clean-2.tar.gz")),
        458_000_000,
    ),
    "librispeech-100": Corpus(
        "LibriSpeech: English read aloud, the 100 hours of train-clean-100, dev-clean and test-clean, 16 kHz",
        "CC BY 4.0",
        "https://www.openslr.org/12/",
        "ctc/librispeech",
        _librispeech("dev-clean", "test-clean", "train-clean-100"),
    ),
    "librispeech-960": Corpus(
        "LibriSpeech: English read aloud, all 960 hours for training, both dev and both test splits, 16 kHz",
        "CC BY 4.0",
        "https://www.openslr.org/12/",
        "ctc/librispeech",
        _librispeech(*LIBRISPEECH),
    ),
    "atis": Corpus(
        "ATIS: 5,871 questions about flights, 79 kinds of slots, 21 intents",
        "for research; the sentences are of the Linguistic Data Consortium",
        "https://github.com/MiuLab/SlotGated-SLU",
        "slots/atis",
        _slot_gated("atis"),
        1_000_000,
    ),
    "snips": Corpus(
        "SNIPS: 14,484 requests to a voice assistant, 39 kinds of slots, 7 intents",
        "for research; made by Snips from its own requests",
        "https://github.com/sonos/nlu-benchmark",
        "slots/snips",
        _slot_gated("snips"),
        2_000_000,
    ),
}
