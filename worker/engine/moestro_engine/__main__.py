"""``python -m moestro_engine --socket PATH``: one rank that imports for itself what it needs."""

import argparse
import os

from moestro_engine.parent import die_with_parent
from moestro_engine.rank_process import be_rank

parser = argparse.ArgumentParser(prog="moestro_engine", description="One rank of a training run, started by its agent.")
parser.add_argument("--socket", required=True, help="Unix socket the agent listens on")
arguments = parser.parse_args()
die_with_parent()
be_rank(arguments.socket, os.environ.get("MOESTRO_RANK_TOKEN", ""))
