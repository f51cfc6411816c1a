"""``python -m moestro_engine.huggingface import|upcycle|export``: convert weights for the command line.

The job comes as a binary ``EngineJob`` on standard input. ``import`` and ``upcycle`` print the files
they wrote as a JSON ``CheckpointShards``; ``export`` reads the checkpoint that ``job.initial_weights``
names. Exit code 2 and one line on standard error for what the user can mend, 4 and one line for a disk that
is full or forbids.
"""

import argparse
import sys
from pathlib import Path

from google.protobuf import json_format
from safetensors import SafetensorError

from moestro.v1 import job_pb2
from moestro_engine.checkpoint.read import CheckpointReader
from moestro_engine.errors import EngineError, UserError
from moestro_engine.huggingface.export import DTYPES, export_model
from moestro_engine.huggingface.load import import_mixtral, upcycle_llama
from moestro_engine.parent import die_with_parent

USER_ERROR = 2
ENVIRONMENT_ERROR = 4


def main() -> int:
    arguments = _parser().parse_args()
    die_with_parent()
    job = job_pb2.EngineJob.FromString(sys.stdin.buffer.read())
    try:
        arguments.run(job, arguments)
    except EngineError as error:
        print(error, file=sys.stderr)
        return USER_ERROR if isinstance(error, UserError) else ENVIRONMENT_ERROR
    except (OSError, SafetensorError) as error:
        print(f"{arguments.out}: cannot be written: {error}; free space, or choose another folder", file=sys.stderr)
        return ENVIRONMENT_ERROR
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="moestro_engine.huggingface", description="Convert weights; the job is on stdin.")
    commands = parser.add_subparsers(required=True)
    load = commands.add_parser("import", help="a Mixtral folder becomes a checkpoint")
    load.add_argument("--source", type=Path, required=True)
    load.set_defaults(run=_import)
    upcycle = commands.add_parser("upcycle", help="a dense Llama folder becomes a checkpoint with experts")
    upcycle.add_argument("--source", type=Path, required=True)
    upcycle.add_argument("--seed", type=int, required=True)
    upcycle.add_argument("--router-std", type=float, required=True)
    upcycle.set_defaults(run=_upcycle)
    export = commands.add_parser("export", help="a checkpoint becomes a folder that Transformers loads")
    export.add_argument("--dtype", choices=DTYPES, required=True)
    export.set_defaults(run=_export)
    for command in (load, upcycle, export):
        command.add_argument("--out", type=Path, required=True)
    return parser


def _import(job: job_pb2.EngineJob, arguments: argparse.Namespace) -> None:
    print(json_format.MessageToJson(import_mixtral(job, arguments.source, arguments.out)))


def _upcycle(job: job_pb2.EngineJob, arguments: argparse.Namespace) -> None:
    shards = upcycle_llama(job, arguments.source, arguments.out, arguments.seed, arguments.router_std)
    print(json_format.MessageToJson(shards))


def _export(job: job_pb2.EngineJob, arguments: argparse.Namespace) -> None:
    weights = job.initial_weights
    reader = CheckpointReader(Path(weights.directory), weights.files)
    export_model(job, reader, arguments.out, arguments.dtype)


if __name__ == "__main__":
    sys.exit(main())
