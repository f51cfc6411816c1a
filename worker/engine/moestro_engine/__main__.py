"""``python -m moestro_engine --socket PATH``: one rank that imports for itself what it needs."""

import argparse
import os

from moestro_engine.rank_process import be_rank

parser = argparse.ArgumentParser(prog="moestro_engine", description="One rank of a training run, started by its agent.")
parser.add_argument("--socket", required=True, help="Unix socket the agent listens on")
be_rank(parser.parse_args().socket, os.environ.get("MOESTRO_RANK_TOKEN", ""))
