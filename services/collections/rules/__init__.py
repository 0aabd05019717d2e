"""Pure rules of collections: no database, no clock."""
