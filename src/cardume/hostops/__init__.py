"""Hands on one host: guests, storage, network. No decisions about the pool, no database, no XenAPI records.

Everything that crosses this border is a plain frozen value, so that the same calls can later be made
on another host over the internal channel.
"""
