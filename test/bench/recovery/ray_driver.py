"""``ray_driver.py MODULE FOLDER WORLD``: workers of Ray Train's TorchTrainer run the module's ``run``."""

import importlib
import sys
import time
from pathlib import Path

import ray
from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer

MAX_FAILURES = 3


def train_loop(config: dict) -> None:
    # In the worker, where the process group stands: Ray has made it.
    importlib.import_module(config["module"]).run(Path(config["folder"]))


def main(module: str, folder: str, world: str) -> None:
    ray.init(num_cpus=int(world), include_dashboard=False, _temp_dir=f"{folder}/ray")
    trainer = TorchTrainer(
        train_loop,
        train_loop_config={"module": module, "folder": folder},
        scaling_config=ScalingConfig(
            num_workers=int(world), resources_per_worker={"CPU": 1}
        ),
        run_config=RunConfig(
            name="recovery",
            storage_path=f"{folder}/results",
            failure_config=FailureConfig(max_failures=MAX_FAILURES),
        ),
    )
    print(f"fit at {time.time() * 1000}", flush=True)
    trainer.fit()


if __name__ == "__main__":
    main(*sys.argv[1:])
