"""Before any test module is imported: kernels run in Triton's interpreter, whoever imports Triton first."""

import os

os.environ["TRITON_INTERPRET"] = "1"
