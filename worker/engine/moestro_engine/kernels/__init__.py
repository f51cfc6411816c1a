"""The engine's kernels, one operation a file: the plain-PyTorch reference, and in ``*_triton`` its Triton form.

``select`` decides per tensor which of the two runs; CPUs use the reference. Triton is imported only
where a kernel runs. Shape suffixes are those of ``moestro_engine.model``.
"""
