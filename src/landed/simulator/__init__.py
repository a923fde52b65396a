"""Local stand-ins for the outside: what a laptop needs so that nobody needs an account.

Today a stream of signed callbacks that looks like real traffic. The stand-ins that speak the providers' whole APIs
and call back come later, and this folder is their place.
"""
