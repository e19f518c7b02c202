"""Packages and distributions that are written for one test."""
