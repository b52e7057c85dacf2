"""Files on servers, by fsspec; imported where an address is used."""
