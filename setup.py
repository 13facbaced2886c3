from setuptools import find_packages, setup

packages = ["liveorder", *(f"liveorder.{name}" for name in find_packages("src"))]
setup(package_dir={"liveorder": "src"}, packages=packages)
