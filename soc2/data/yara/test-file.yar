// The file by which scanners for malware are tested (EICAR), told by its digest: its text stands nowhere in here.

import "hash"

rule eicar_test_file
{
    meta:
        description = "test file for scanners of malware"
    condition:
        filesize >= 68 and filesize <= 128
        and hash.sha256(0, 68) == "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f"
}
