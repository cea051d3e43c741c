"""The AWS half of the embedded environment: moto's server, and a service in front of it for what moto lacks."""
