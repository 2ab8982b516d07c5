"""Labelled images on this device: added from files, downloaded, verified, handed to a run."""
