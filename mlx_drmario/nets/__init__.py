"""Policies on MLX: encoders (what a bottle looks like), heads (512 placements), and the actor-critic that joins them.

`config` and `layout` need no MLX, so command lines and tests of configuration stay fast; everything else does.
"""
