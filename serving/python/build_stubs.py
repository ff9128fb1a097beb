"""Generates the gRPC stubs while the wheel is built: they are in the wheel and nowhere else."""

import shutil
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Stubs(BuildHookInterface[Any]):
    """Runs protoc on the lookup contract, below target/stubs."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by the build before it collects the wheel's files."""
        # Here, so that a look at the package's metadata needs no compiler.
        import grpc_tools
        from grpc_tools import protoc

        root = Path(self.root)
        protos = root.parents[1] / "proto" / "src" / "main" / "proto"
        contract = protos / "feature_store" / "v1" / "feature_store.proto"
        if not contract.is_file():
            raise FileNotFoundError(
                f"{contract} is missing: build the package in a checkout of Tarn, "
                "or take a wheel that was built there"
            )
        stubs = root / "target" / "stubs"
        shutil.rmtree(stubs, ignore_errors=True)
        stubs.mkdir(parents=True)
        status = protoc.main(
            [
                "protoc",
                f"--proto_path={protos}",
                f"--proto_path={Path(grpc_tools.__file__).parent / '_proto'}",
                f"--python_out={stubs}",
                f"--grpc_python_out={stubs}",
                f"--mypy_out={stubs}",
                f"--mypy_grpc_out={stubs}",
                str(contract),
            ]
        )
        if status != 0:
            raise RuntimeError(f"protoc failed with status {status} on {contract}")
        package = stubs / "feature_store"
        for folder in (package, package / "v1"):
            (folder / "__init__.py").touch()
            (folder / "py.typed").touch()
        build_data["force_include"][str(package)] = "feature_store"
