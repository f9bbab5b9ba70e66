#include "storage/codec.h"

#include "base/mem.h"
#include "storage/codec_scratch_priv.h"

struct codec_scratch *codec_scratch_new(void)
{
    return mem_alloc(sizeof(struct codec_scratch));
}

void codec_scratch_free(struct codec_scratch *s)
{
    mem_free(s);
}
